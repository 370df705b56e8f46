"""One file per category of the taxonomy; each defines CAUSE."""
