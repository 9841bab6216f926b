"""Small documents of our own with what must be read in them; `README.md` says how to add some."""
