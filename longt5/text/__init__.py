"""Prose without tensors: sentences, what may be quoted, headings, words, ranking, claims."""
