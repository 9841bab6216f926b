"""PDF: text, lines, paragraphs, headings, page pictures and OCR."""
