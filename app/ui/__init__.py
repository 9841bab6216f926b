"""The Gradio page: what is on it, what its events do, how it starts."""
