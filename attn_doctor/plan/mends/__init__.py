"""One kind of breakage per file, and the smallest thing that mends it."""
