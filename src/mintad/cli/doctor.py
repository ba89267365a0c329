"""`mintad doctor`: what this machine has to train and inspect with."""

from __future__ import annotations

import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from mintad.cli.options import PrintJson
from mintad.system.directory import default_cache_directory
from mintad.system.processor import has_bfloat16, has_int8
from mintad.system.threads import core_count

PACKAGES = ("mintad", "numpy", "pillow", "torch", "torchvision", "timm", "lightning", "pyarrow")


def doctor(json_output: PrintJson = False) -> None:
    """Say what this machine has: cores, bfloat16, GPU, disk, versions, backbone weights."""
    machine = describe_machine()
    typer.echo(json.dumps(machine, indent=2) if json_output else _as_lines(machine))


def describe_machine() -> dict[str, Any]:
    """Cores, memory, matrix instructions, GPU, free disk, versions and backbones with weights."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": core_count(),
        "memory_gb": _memory_gb(),
        "bfloat16": has_bfloat16(),
        "int8": has_int8(),
        "gpu": _gpu(),
        "free_disk_gb": {
            str(place): round(shutil.disk_usage(_existing(place)).free / 1e9, 1)
            for place in (Path.cwd(), default_cache_directory())
        },
        "versions": {name: _version(name) for name in PACKAGES},
        "backbones": _backbones(),
    }


def _as_lines(machine: dict[str, Any]) -> str:
    lines = [
        f"python      {machine['python']} on {machine['system']}",
        f"cores       {machine['cores']}",
        f"memory      {machine['memory_gb']} GB",
        f"bfloat16    {'yes' if machine['bfloat16'] else 'no'}",
        f"int8        {'yes' if machine['int8'] else 'no'}",
        f"gpu         {machine['gpu'] or 'none'}",
    ]
    lines += [
        f"free disk   {free} GB at {place}" for place, free in machine["free_disk_gb"].items()
    ]
    lines += [
        f"package     {name} {number or 'not installed'}"
        for name, number in machine["versions"].items()
    ]
    lines += [
        f"backbone    {name}: {'weights at hand' if at_hand else 'weights not installed'}"
        for name, at_hand in machine["backbones"].items()
    ]
    return "\n".join(lines)


def _backbones() -> dict[str, bool]:
    from mintad.backbones import backbone_spec, list_backbones

    return {name: backbone_spec(name).packaged_weights() is not None for name in list_backbones()}


def _memory_gb() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _gpu() -> str | None:
    if find_spec("torch") is None:
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _existing(place: Path) -> Path:
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())
