"""The project about itself: laws, documentation, the wheel."""
