"""Export finished summaries as Markdown, text, JSON, HTML or Word, and compare two of them."""
