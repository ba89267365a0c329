"""From a trained network to graphs that run without torch, in lower precision too."""
