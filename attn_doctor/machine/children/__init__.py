"""Standalone scripts that run in a child process."""
