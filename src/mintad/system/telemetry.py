"""Nothing phones home: what dependencies would send is switched off before they are imported."""

from __future__ import annotations

import os
import sys


def switch_off_telemetry() -> None:
    """Keeps dependencies from sending anything from this process and those that it starts.

    ONNX Runtime and the Hugging Face hub are told so in the environment, which a user may have set
    otherwise. OpenVINO and NNCF do without the package openvino_telemetry where it cannot be
    imported. Who imported them before has it already: then its sender is made to send nothing.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    sender = sys.modules.get("openvino_telemetry.utils.sender")
    if sender is not None:
        sender.TelemetrySender.send = lambda *_, **__: None
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
