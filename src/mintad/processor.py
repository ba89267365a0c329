"""What the processor can do in hardware."""

from __future__ import annotations

from pathlib import Path


def processor_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where it does not tell."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return set()
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.split(":", 1)[1].split())
    return set()


def has_bfloat16() -> bool:
    """Whether bfloat16 matrices are multiplied in hardware."""
    return bool({"avx512_bf16", "amx_bf16"} & processor_flags())


def has_int8() -> bool:
    """Whether 8-bit integer products are summed in hardware."""
    return bool({"avx512_vnni", "avx_vnni", "amx_int8"} & processor_flags())
