"""What the processor is called and can do in hardware."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any


def measured_on() -> dict[str, Any]:
    """What a time was measured on: system, processor, its cores, and the threads in use."""
    torch = sys.modules.get("torch")
    return {
        "system": platform.platform(),
        "processor": _name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads() if torch else os.environ.get("OMP_NUM_THREADS", "all"),
    }


def processor_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where it does not tell."""
    return set(_told("flags", "Features").split())


def _name() -> str:
    return _told("model name") or platform.processor()


def _told(*names: str) -> str:
    """What Linux says of the first core under one of these names; "" where it does not tell."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return ""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(names):
            return line.partition(":")[2].strip()
    return ""


def has_bfloat16() -> bool:
    """Whether bfloat16 matrices are multiplied in hardware, and oneDNN is not kept from it."""
    return bool({"avx512_bf16", "amx_bf16"} & processor_flags()) and _allowed(*_BFLOAT16)


def has_int8() -> bool:
    """Whether 8-bit integer products are summed in hardware, and oneDNN is not kept from it."""
    flags = {"avx512_vnni", "avx_vnni", "amx_int8"} & processor_flags()
    return bool(flags) and _allowed("VNNI", *_BFLOAT16)


_BFLOAT16 = ("BF16", "FP16", "AMX", "AVX10")
"""What is in the name of every instruction set of oneDNN that multiplies bfloat16."""


def _allowed(*names: str) -> bool:
    """Whether ONEDNN_MAX_CPU_ISA lets torch and OpenVINO use instruction sets of such names."""
    most = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    return any(name in most for name in ("ALL", "DEFAULT", *names))
