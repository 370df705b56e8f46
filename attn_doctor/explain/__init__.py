"""What went wrong: a log in, its root cause and the fix out."""
