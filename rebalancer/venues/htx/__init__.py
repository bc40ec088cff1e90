"""HTX spot: signing and wire are pure, the client is thin."""
