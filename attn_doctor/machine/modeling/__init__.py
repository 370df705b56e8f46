"""What an installed transformers says of its models, read from its source files; nothing of it is imported."""
