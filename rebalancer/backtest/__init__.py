"""The service's own planner over price history: what a policy would have cost, and how far it would have strayed."""
