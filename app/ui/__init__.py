"""The Gradio page: its layout, the handlers of its events, its API, and how it is started."""
