"""The laboratory of mintad: compares methods, draws the papers' figures, writes the book."""
