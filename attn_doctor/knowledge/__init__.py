"""What is known about the world: tables as JSON (value, source, as_of) and one typed accessor module per table."""
