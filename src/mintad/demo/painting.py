"""Painted defects: scratches, stains and holes on grey patches, with exact masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Plane = NDArray[np.float64]
Painter = Callable[[Plane, float, np.random.Generator], tuple[Plane, Mask]]

DEFECTS = ("scratch", "stain", "hole")


def paint(
    patch: Grey, defect: str, rng: np.random.Generator, boldness: float = 1.0
) -> tuple[Grey, Mask]:
    """A copy of a grey patch `(H, W)` with one painted defect, and the mask `(H, W)` of the paint.

    Outside the mask the copy equals the patch. Lively ground hides a defect, so its size and
    contrast grow with `boldness`.
    """
    painters: dict[str, Painter] = {"scratch": _scratch, "stain": _stain, "hole": _hole}
    painted, mask = painters[defect](patch.astype(np.float64), boldness, rng)
    copy = np.where(mask, np.clip(np.rint(painted), 0, 255), patch).astype(np.uint8)
    return copy, mask


def _scratch(patch: Plane, boldness: float, rng: np.random.Generator) -> tuple[Plane, Mask]:
    """A bent line, thin at its ends, lighter or darker than the ground."""
    length = rng.uniform(0.3, 0.75) * len(patch)
    half_width = boldness**0.9 * rng.uniform(0.8, 1.7)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.sin(angle), np.cos(angle)])
    across = np.array([along[1], -along[0]])
    time = np.linspace(0, 1, int(2 * length))
    bend = rng.uniform(-0.15, 0.15) * length * np.sin(np.pi * time)
    wobble = np.cumsum(rng.normal(0, 0.12, time.size))
    points = (
        rng.uniform(0.35, 0.65, 2) * len(patch)
        + ((time - 0.5) * length)[:, None] * along
        + (bend + wobble)[:, None] * across
    )  # (T, 2)
    widths = half_width * (0.4 + 0.6 * np.sin(np.pi * time))  # (T,)
    rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]]
    distance = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1])
    cover = np.clip(0.5 + (widths - distance).max(axis=-1), 0, 1)  # (H, W)
    cover[cover < 0.1] = 0
    tone = patch.mean() + rng.choice([-1, 1]) * boldness * rng.uniform(40, 75)
    opacity = rng.uniform(0.7, 0.95) * cover
    return patch + opacity * (np.clip(tone, 8, 247) - patch), cover > 0


def _stain(patch: Plane, boldness: float, rng: np.random.Generator) -> tuple[Plane, Mask]:
    """A soft-edged blot that lets the ground shine through, with a stronger rim as it dried."""
    radius = boldness**0.35 * rng.uniform(0.09, 0.22) * len(patch)
    cover = np.clip(2.5 * (1 - _blob(patch.shape, radius, 0.18, rng)), 0, 1)
    cover = cover * cover * (3 - 2 * cover)
    cover[cover < 0.15] = 0
    strength = (
        min(0.85, boldness * rng.uniform(0.3, 0.5)) * cover * (0.8 + 0.8 * cover * (1 - cover))
    )
    tone = 12.0 if rng.random() < 0.7 else 235.0
    calm = patch + 0.4 * cover * (_blur(patch, 1.5) - patch)
    return calm + strength * (tone - calm), cover > 0


def _hole(patch: Plane, boldness: float, rng: np.random.Generator) -> tuple[Plane, Mask]:
    """A dark pit with a sharp edge, its far wall lit and that part of its rim bright."""
    radius = boldness**0.5 * rng.uniform(0.04, 0.1) * len(patch)
    field = _blob(patch.shape, radius, 0.12, rng)
    inside = np.clip((1 - field) * radius / 1.5, 0, 1)
    inside[inside < 0.1] = 0
    light = rng.uniform(0, 2 * np.pi)
    slope_rows, slope_columns = np.gradient(_blur(field, 1.0))
    lit = np.cos(np.arctan2(slope_rows, slope_columns) - light)  # (H, W), 1 on the lit side
    dark = rng.uniform(0.25, 0.5) * np.percentile(patch, 10)
    wall = dark * (1 + 0.5 * lit * field) + rng.normal(0, 2.0, patch.shape)
    rim = np.clip(1 - np.abs(field - 1) * radius / 1.8, 0, 1) * np.clip(lit, 0, 1)
    rim[rim < 0.2] = 0
    pit = patch + inside * (wall - patch)
    return pit + 0.5 * rim * (225 - pit), (inside > 0) | (rim > 0)


def _blob(shape: tuple[int, ...], radius: float, rough: float, rng: np.random.Generator) -> Plane:
    """A field `(H, W)` that is 0 in the middle of an uneven ellipse and 1 on its edge."""
    centre = rng.uniform(0.25, 0.75, 2) * shape
    stretch = np.exp(rng.uniform(-0.3, 0.3))
    angle = rng.uniform(0, np.pi)
    rows, columns = np.indices(shape)
    rows, columns = rows - centre[0], columns - centre[1]
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    noise = _blur(rng.standard_normal(shape), 0.3 * radius)
    field: Plane = np.hypot(along * stretch, across / stretch) / radius
    field += rough * noise / noise.std() * np.clip(field, 0, 1)
    return field


def _blur(plane: Plane, sigma: float) -> Plane:
    from scipy.ndimage import gaussian_filter

    blurred: Plane = gaussian_filter(plane, sigma)
    return blurred
