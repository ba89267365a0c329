"""The connected regions of a mask, weighed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mintad.data.regions import regions_of_runs

Mask = NDArray[np.bool_]


def region_weights(mask: Mask) -> NDArray[np.float64]:
    """Weigh each pixel of a `(H, W)` mask by 1 / (pixels of its region), as `anomaly_map[mask]`.

    The weights sum to the number of regions: the mean overlap of the regions with any set of
    pixels is the sum of the set's weights divided by that number.
    """
    region, length = regions_of_runs(mask)
    sizes = np.bincount(region, weights=length)
    return np.repeat(1.0 / sizes[region], length)
