"""The supervised build: it is seen to go on, keeps within the memory there is, and goes on from where it was."""
