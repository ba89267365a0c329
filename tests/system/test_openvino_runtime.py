from __future__ import annotations

import os

import pytest

from mintad.system.openvino_runtime import compile_model, openvino


def test_openvino_alone_does_not_see_what_holds_onednn_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    seen: list[str | None] = []

    class Core(openvino.Core):
        def get_property(self, device: str, name: str) -> object:
            seen.append(os.environ.get("ONEDNN_MAX_CPU_ISA"))
            return super().get_property(device, name)

    monkeypatch.setattr(openvino, "Core", Core)
    value = openvino.opset13.parameter([1], openvino.Type.f32)
    compile_model(openvino.Model([openvino.opset13.relu(value)], [value]), {})
    assert seen == [None]
    assert os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX2"
