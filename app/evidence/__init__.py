"""Evidence for a summary: citations, checked details, coverage of the document, provenance."""
