"""The lines that make a framework use a backend, with the check that it took effect; one framework per file."""
