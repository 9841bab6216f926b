"""What a summary will say and how it is written: plan, models, lengths, the stream of events."""
