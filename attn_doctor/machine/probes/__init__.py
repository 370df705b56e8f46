"""One question to the machine per file."""
