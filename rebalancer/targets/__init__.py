"""`targets.toml`: what the owner decides, read, checked, edited with its comments kept, and replaced safely."""
