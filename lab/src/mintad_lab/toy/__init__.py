"""The toy experiment of MINT-AD (Figures 1, 5, 6, 7): reconstruction in the plane, as pictures."""
