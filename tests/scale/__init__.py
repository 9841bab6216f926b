"""Corpora: sources, output, and runs on Ray in which machines and processes die."""
