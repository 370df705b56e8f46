"""One attention backend per file."""
