"""Runs: jobs, their journal on disk, reading files, folders, and the service behind the page."""
