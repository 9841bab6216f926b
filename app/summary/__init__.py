"""Summaries of whole documents: chunks, plan, models, writing methods, the stream of events."""
