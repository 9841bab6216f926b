"""Prose functions: what is picked, and what is doubted."""
