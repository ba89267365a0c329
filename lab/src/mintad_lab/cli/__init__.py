"""The laboratory's command line."""

from mintad_lab.cli.app import main

__all__ = ["main"]
