"""What this machine has to train and inspect with."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mintad.system.processor import has_bfloat16, has_int8

PACKAGES = ("mintad", "numpy", "pillow", "torch", "torchvision", "timm", "lightning", "pyarrow")


def describe() -> dict[str, Any]:
    """Cores, memory, matrix instructions, GPU, free disk, versions and backbones with weights."""
    from mintad.system.directory import default_cache_directory

    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
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


def format_description(found: dict[str, Any]) -> str:
    """The same as lines for a terminal."""
    lines = [
        f"python      {found['python']} on {found['system']}",
        f"cores       {found['cores']}",
        f"memory      {found['memory_gb']} GB",
        f"bfloat16    {'yes' if found['bfloat16'] else 'no'}",
        f"int8        {'yes' if found['int8'] else 'no'}",
        f"gpu         {found['gpu'] or 'none'}",
    ]
    lines += [f"free disk   {free} GB at {place}" for place, free in found["free_disk_gb"].items()]
    lines += [
        f"package     {name} {number or 'not installed'}"
        for name, number in found["versions"].items()
    ]
    lines += [
        f"backbone    {name}: {'weights at hand' if at_hand else 'weights not installed'}"
        for name, at_hand in found["backbones"].items()
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
