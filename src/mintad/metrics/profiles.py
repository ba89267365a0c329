"""What an evaluation protocol fixes, and the ones that mintad knows."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mintad.errors import ConfigError
from mintad.metrics.registry import METRICS

REFERENCE = "mintad"
"""The profile that all others are compared with."""


class Profile(BaseModel):
    """How maps and masks become numbers. Sizes and windows are in pixels, `sigma` too.

    The map is brought to `enlarged` and cropped to its centre `crop`, both sides alike, then to
    `size`; None leaves the step out, and the map as large as the prepared image. The mask goes
    through the same steps: the first one with `mask_filter`, later ones by nearest neighbour, and
    is defective above `mask_threshold` of full scale. The filter "regions" is nearest neighbour
    that loses no region, `mintad.data.regions.shrunk_mask`. `image_score` "model" is the bundle's
    own score, "pooled-max" the maximum over a 16x16 average pooling of stride 1, "top-1%" the mean
    of the highest hundredth of the pixels. With `image_label` "mask" an image whose mask vanished
    counts as good. `aupro_scale` says what the area up to `aupro_limit` is divided by: "limit",
    exactly, interpolated at the limit; "last" the last false positive rate below it; "span" the
    distance from the first to the last. `f1_thresholds` and `aupro_thresholds` are evenly spaced
    from the lowest score of a product to its highest; None tries every score. `defines` are the
    metrics that the protocol's own code reports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    note: str
    sources: tuple[str, ...]
    enlarged: int | None = Field(default=None, ge=1)
    crop: int | None = Field(default=None, ge=1)
    size: int | None = Field(default=None, ge=1)
    mask_filter: Literal["nearest", "regions", "bilinear"] = "nearest"
    mask_threshold: float = Field(default=0.5, ge=0, lt=1)
    smoothing_sigma: float = Field(default=0.0, ge=0)
    smoothing_window: int | None = Field(default=None, ge=1)
    smoothing_edge: Literal["reflect", "zero"] = "reflect"
    image_score: Literal["model", "max", "pooled-max", "top-1%"] = "model"
    image_label: Literal["sample", "mask"] = "sample"
    auroc_mirrored: bool = False
    f1_thresholds: int | None = Field(default=None, ge=2)
    aupro_thresholds: int | None = Field(default=None, ge=2)
    aupro_limit: float = Field(default=0.3, gt=0, le=1)
    aupro_scale: Literal["limit", "last", "span"] = "limit"
    defines: tuple[str, ...] = tuple(METRICS)


def list_profiles() -> list[str]:
    """The names of all profiles, `mintad` first."""
    return list(_profiles())


def find_profiles(profiles: Sequence[str | Profile]) -> list[Profile]:
    """Profiles, by name or as they are, `mintad` always and first; "all" is every one.

    Raises `ConfigError` for an unknown name.
    """
    known = _profiles()
    wanted = {REFERENCE: known[REFERENCE]}
    for profile in profiles:
        if isinstance(profile, Profile):
            wanted[profile.name] = profile
        elif profile == "all":
            wanted |= known
        elif profile in known:
            wanted[profile] = known[profile]
        else:
            raise ConfigError(
                f"There is no protocol named {profile!r}.",
                f"Choose among: {', '.join(known)}, or all.",
            )
    return list(wanted.values())


def reference_profile() -> Profile:
    """The profile `mintad`."""
    return _profiles()[REFERENCE]


@cache
def _profiles() -> dict[str, Profile]:
    file = resources.files("mintad.metrics") / "profiles.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: Profile(name=name, **fields) for name, fields in content.items()}
