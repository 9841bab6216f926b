"""Files become documents; helpers that make small files."""
