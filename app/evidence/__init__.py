"""Where each sentence comes from: citations, coverage of the document, provenance."""
