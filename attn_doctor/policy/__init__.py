"""What a project demands of the machines it runs on: found, read, merged with the call, and judged."""
