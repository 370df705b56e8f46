"""One finding per file; the docstring is the page of docs."""
