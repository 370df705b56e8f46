"""Is it right, and how fast: real kernels, run in the target's own interpreter."""
