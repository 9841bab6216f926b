"""Files become documents: pages of text with positions, an outline, and what was not read."""
