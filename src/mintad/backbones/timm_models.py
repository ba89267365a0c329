"""The networks of backbones, most of them timm's: by name, built, cut, their weights key by key."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import timm
import torch
from torch import Tensor, nn

from mintad.backbones.registry import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    BackboneSpec,
    Stage,
    Triple,
    backbone_spec,
    list_backbones,
)
from mintad.errors import ConfigError, WeightsError

State = dict[str, Tensor]

_TRANSFORMER_MODULES = {
    f"timm.models.{name}" for name in ("vision_transformer", "eva", "beit", "deit")
}
_RANDOM_SEED = 0


def find_spec(name: str) -> BackboneSpec:
    """The registry's entry, or a description of timm's model `name` (`timm:` may lead it).

    Raises ConfigError where neither knows the name or the model yields no feature maps.
    """
    timm_name = name.removeprefix("timm:")
    if timm_name == name and (name in list_backbones() or not timm.is_model(name)):
        return backbone_spec(name)
    if not timm.is_model(timm_name):
        raise ConfigError(
            f"timm {timm.__version__} has no model named '{timm_name}'.",
            "Choose one of timm.list_models().",
        )
    return _describe(timm_name)


def build_network(spec: BackboneSpec, seed: int = _RANDOM_SEED) -> nn.Module:
    """The whole model with random weights, those of `seed`; torch's own seed is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module
        if spec.network:
            network = resolve_name(spec.network)()
        else:
            options: dict[str, Any] = {"dynamic_img_size": True} if spec.transformer else {}
            network = timm.create_model(spec.timm_name, **options)
    return network


def stage_maps(
    network: nn.Module, images: Tensor, stages: tuple[int, ...], spec: BackboneSpec
) -> list[Tensor]:
    """The maps `(B, C_s, H_s, W_s)` of `stages` (0-based) of images `(B, 3, h, w)`."""
    if spec.network:
        every = network(images)
        return [every[stage] for stage in stages]
    take: Any = network.forward_intermediates
    maps: list[Tensor] = take(
        images,
        indices=list(stages),
        norm=spec.transformer,
        stop_early=True,
        output_fmt="NCHW",
        intermediates_only=True,
    )
    return maps


def keep_stages(network: nn.Module, stages: tuple[int, ...], spec: BackboneSpec) -> None:
    """Cut off, in place, what lies behind the last of `stages` (0-based) of a timm model."""
    if not spec.network:
        cut: Any = network.prune_intermediate_layers
        cut(list(stages), prune_norm=not spec.transformer, prune_head=True)


def checked_state(network: nn.Module, given: Mapping[str, Any], where: str) -> State:
    """`given` under the names of the whole `network`; `where` names it in messages.

    Knows timm's names, the layouts timm can convert and the efficientnet_pytorch project's.
    Raises WeightsError on a key that the network lacks.
    """
    state = {key.removeprefix("module."): value for key, value in _unwrapped(given).items()}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise _unfit(where, "it holds something else than named tensors")
    if "_conv_stem.weight" in state:
        return _in_order(network, state, where)
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        state = convert(state, network)
    unexpected = sorted(set(state) - set(network.state_dict()))
    head = _head_name(network)
    unexpected = [key for key in unexpected if not key.startswith(head)]
    if unexpected:
        raise _unfit(where, f"it has keys that the network lacks: {_some(unexpected)}")
    return state


def load_state(network: nn.Module, state: State, where: str) -> None:
    """Load what `network` needs of `state`; raises WeightsError on a missing key or a wrong shape.

    The network may have been cut by `keep_stages`; what was cut off is not asked for.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in state]
    if missing:
        raise _unfit(where, f"it lacks keys that the network needs: {_some(missing)}")
    for key, value in own.items():
        if state[key].shape != value.shape:
            shapes = f"{tuple(state[key].shape)} where the network has {tuple(value.shape)}"
            raise _unfit(where, f"'{key}' is {shapes}")
    network.load_state_dict({key: state[key] for key in own}, strict=True)


def _in_order(network: nn.Module, given: State, where: str) -> State:
    """The efficientnet_pytorch project registers the same tensors in the same order as timm."""
    own = network.state_dict()
    if len(own) != len(given):
        raise _unfit(where, f"it has {len(given)} tensors where the network has {len(own)}")
    state = {}
    for (key, value), (other, tensor) in zip(own.items(), given.items(), strict=True):
        same_kind = key.rsplit(".", 1)[-1] == other.rsplit(".", 1)[-1]
        if not same_kind or tensor.shape != value.shape:
            shapes = f"{tuple(tensor.shape)} does not fit '{key}' {tuple(value.shape)}"
            raise _unfit(where, f"'{other}' {shapes}")
        state[key] = tensor
    return state


def _unwrapped(given: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("state_dict", "model"):
        if isinstance(given.get(name), Mapping):
            inner: Mapping[str, Any] = given[name]
            return inner
    return given


def _head_name(network: nn.Module) -> str:
    configuration: Any = getattr(network, "pretrained_cfg", None) or {}
    return f"{configuration.get('classifier') or 'head'}."


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(f"'{key}'" for key in keys[:3]) + more


def _unfit(where: str, reason: str) -> WeightsError:
    return WeightsError(
        f"The weights in {where} do not fit the backbone: {reason}.",
        "Give the file that belongs to this backbone, or name the backbone it belongs to.",
    )


def _describe(name: str) -> BackboneSpec:
    architecture = timm.models.model_entrypoint(name)
    transformer = architecture.__module__ in _TRANSFORMER_MODULES
    with torch.device("meta"):
        network = timm.create_model(name)
    if not hasattr(network, "prune_intermediate_layers") or not hasattr(network, "feature_info"):
        raise ConfigError(
            f"timm's model '{name}' does not yield feature maps.",
            "Choose one of timm.list_models() that does, such as 'timm:convnext_tiny'.",
        )
    info: Any = network.feature_info
    rows: list[dict[str, Any]] = list(getattr(info, "info", info))
    stages = tuple(Stage(int(row["num_chs"]), int(row["reduction"])) for row in rows)
    fine = tuple(index for index, stage in enumerate(stages) if stage.stride <= 16)
    middle = tuple(len(stages) * quarter // 4 for quarter in (1, 2, 3))
    configuration: Any = timm.get_pretrained_cfg(name)
    return BackboneSpec(
        name=name,
        timm_name=name,
        stages=stages,
        default_stages=middle if transformer else fine or (len(stages) - 1,),
        licence=(configuration and configuration.license) or "unknown",
        source=f"timm's weights, where there are any, on the Hugging Face hub as timm/{name}",
        mean=_units(configuration and configuration.mean, IMAGENET_MEAN),
        std=_units(configuration and configuration.std, IMAGENET_STD),
        input_size=_input_size(configuration),
        stride=stages[-1].stride if transformer else 16,
        transformer=transformer,
    )


def _units(values: Any, default: Triple) -> Triple:
    if not values:
        return default
    red, green, blue = (round(float(value) * 255, 6) for value in values)
    return red, green, blue


def _input_size(configuration: Any) -> tuple[int, int]:
    if configuration and configuration.fixed_input_size:
        return int(configuration.input_size[1]), int(configuration.input_size[2])
    return 224, 224
