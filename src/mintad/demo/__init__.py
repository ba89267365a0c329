"""The data of `mintad demo`."""

from mintad.demo.data import Source, demo_sources, make_demo_data

__all__ = ["Source", "demo_sources", "make_demo_data"]
