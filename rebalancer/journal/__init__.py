"""The append-only record, written before the act that it describes; current state is a fold over it."""
