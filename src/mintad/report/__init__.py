"""Heatmaps, plots, the table in the terminal and the self-contained HTML report."""
