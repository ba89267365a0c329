"""Other people's methods, run by anomalib and measured by mintad; needs `mintad-lab[peers]`."""
