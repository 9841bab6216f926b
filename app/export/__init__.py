"""Finished summaries as files: Markdown, text, JSON, HTML, Word, and side by side."""
