"""One reader per file format; each turns a file into pages of text."""
