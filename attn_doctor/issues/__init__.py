"""What a project wants to know of a machine in a report of a bug; one project per file."""
