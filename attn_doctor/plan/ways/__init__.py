"""The ways to a backend, one per file."""
