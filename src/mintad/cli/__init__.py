"""The command line: a thin layer over the face."""

from mintad.cli.app import main

__all__ = ["main"]
