"""Good images with painted damage: what a lower precision's loss is measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter


def damaged(images: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """A copy of prepared images `uint8 (N, h, w, 3)`, each with one scratch or blot.

    From plain to hardly visible, so that their AUROC is below one and can fall.
    """
    rng = np.random.default_rng(seed)
    return np.stack([_damaged(image, rng) for image in images])


def _damaged(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = min(height, width)
    cover = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(cover)
    x, y = rng.uniform(0.25, 0.75, 2) * (width, height)
    length = rng.uniform(0.05, 0.3) * size
    if rng.random() < 0.5:
        dx, dy = length * np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)])
        draw.line([x - dx, y - dy, x + dx, y + dy], fill=255, width=int(rng.integers(1, 4)))
    else:
        radius = length / 3
        draw.ellipse([x - radius, y - radius, x + radius, y + 0.7 * radius], fill=255)
    cover = cover.filter(ImageFilter.GaussianBlur(0.7))
    opacity = rng.uniform(0.08, 0.6) * np.asarray(cover, np.float32)[..., None] / 255
    tone = rng.choice([20.0, 235.0])
    return np.rint(image + opacity * (tone - image)).astype(np.uint8)
