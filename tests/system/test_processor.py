from __future__ import annotations

import pytest

from mintad.system import processor
from mintad.system.processor import has_bfloat16, has_int8


@pytest.mark.parametrize(
    ("flags", "bfloat16", "int8"),
    [
        (set(), False, False),
        ({"avx2", "avx512f"}, False, False),
        ({"avx2", "avx_vnni"}, False, True),
        ({"avx512f", "avx512_vnni", "avx512_bf16"}, True, True),
        ({"amx_tile", "amx_int8", "amx_bf16"}, True, True),
    ],
)
def test_what_the_processor_can_is_in_its_flags(
    flags: set[str], bfloat16: bool, int8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(processor, "processor_flags", lambda: flags)
    assert (has_bfloat16(), has_int8()) == (bfloat16, int8)


@pytest.mark.parametrize(
    ("most", "bfloat16", "int8"),
    [
        ("AVX2", False, False),
        ("avx2_vnni", False, True),
        ("AVX512_CORE", False, False),
        ("AVX512_CORE_VNNI", False, True),
        ("AVX512_CORE_BF16", True, True),
        ("AVX512_CORE_AMX", True, True),
        ("DEFAULT", True, True),
    ],
)
def test_onednn_may_be_kept_from_it(
    most: str, bfloat16: bool, int8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    flags = {"avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"}
    monkeypatch.setattr(processor, "processor_flags", lambda: flags)
    assert (has_bfloat16(), has_int8()) == (bfloat16, int8)
