"""Readers of data sets, one module per layout, each with `detect(root)` and `read(root)`."""
