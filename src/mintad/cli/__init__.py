"""The command line: a thin layer over the face, and what another program of the house needs."""

from mintad.cli.app import main, new_app, run_app
from mintad.cli.options import (
    BundlePath,
    Cache,
    Data,
    Engine,
    Engines,
    GiveProduct,
    JsonFile,
    Layout,
    Overrides,
    PrintJson,
    Recipe,
)
from mintad.cli.progress import progress_bar, resume_hint

__all__ = [
    "BundlePath",
    "Cache",
    "Data",
    "Engine",
    "Engines",
    "GiveProduct",
    "JsonFile",
    "Layout",
    "Overrides",
    "PrintJson",
    "Recipe",
    "main",
    "new_app",
    "progress_bar",
    "resume_hint",
    "run_app",
]
