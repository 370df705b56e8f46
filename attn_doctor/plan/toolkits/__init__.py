"""The ways to a CUDA toolkit for one build, one per file."""
