"""Figures as SVG: panels, curves and plots of marks."""
