"""The product: documents in, streamed summaries out."""
