"""Image formats, one module each: bytes in, the stored samples out."""
