"""One pass of the backbone over images, in half precision: what the cache keeps and streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.backbones.backbone import Backbone
from mintad.backbones.packing import pack
from mintad.data import Preprocessing, Sample, load_batches, normalise
from mintad.errors import WeightsError

if TYPE_CHECKING:
    from mintad.backbones.accelerated import Network

FLOAT16_LIMIT = 65504.0
WORTH_COMPILING = 200
"""Images from which on a compiled backbone wins back the seconds that compiling takes."""


def stream_features(
    samples: Sequence[Sample],
    backbone: Backbone,
    preprocessing: Preprocessing,
    *,
    batch_size: int = 16,
    workers: int = 2,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Positions in `samples` `(N,)` and their packed rows `float16 (N, P, C)`, in order.

    Features are rounded to half precision and clipped to its finite range of +-65504. The
    backbone always sees whole batches of `batch_size`, the last one filled up, so that an image's
    features do not depend on which images share its batch.
    Raises ImageError for an image that cannot be decoded, WeightsError where the backbone yields
    NaN.
    """
    start = 0
    network: Network | None = None
    for batch in load_batches(samples, preprocessing, (), batch_size=batch_size, workers=workers):
        if network is None and len(samples) >= WORTH_COMPILING:
            from mintad.backbones.accelerated import accelerate

            first = torch.from_numpy(normalise(batch.images[:1], preprocessing))
            network = accelerate(backbone, first)
        rows = backbone_rows(
            batch.images, backbone, preprocessing, batch_size=batch_size, network=network
        )
        yield np.arange(start, start + len(batch)), rows
        start += len(batch)


def backbone_rows(
    images: NDArray[np.uint8],
    backbone: Backbone,
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    network: Network | None = None,
) -> NDArray[np.float16]:
    """The packed rows `float16 (N, P, C)` of prepared images `uint8 (N, h, w, 3)`.

    N is at most `batch_size`. `network`, which gives rows, runs in the place of `backbone`.
    """
    count = len(images)
    filling = np.zeros((batch_size - count, *images.shape[1:]), np.uint8)
    whole = np.concatenate([images, filling]) if len(filling) else images
    device = next(backbone.parameters()).device
    inputs = torch.from_numpy(normalise(whole, preprocessing)).to(device)  # (batch_size, 3, h, w)
    with torch.inference_mode():
        rows = (pack(backbone(inputs)) if network is None else network(inputs))[:count]
        half = rows.clamp(-FLOAT16_LIMIT, FLOAT16_LIMIT).to(torch.float16)
    result: NDArray[np.float16] = half.cpu().contiguous().numpy()
    if np.isnan(result).any():
        raise WeightsError(
            f"The backbone {backbone.spec.name} yields values that are not numbers.",
            f"Its weights ({backbone.weights_source}) are damaged: replace them.",
        )
    return result
