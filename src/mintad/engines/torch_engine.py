"""The network in torch itself, as it is exported: the reference for every other engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.engines.registry import register_engine
from mintad.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from mintad.assembly import Network
    from mintad.features import Features


class TorchEngine:
    """A network in eval mode, in float32, on the device where it is."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        import torch

        with torch.inference_mode():
            return _prediction(self.network(self._tensor(images), self._tensor(products)))

    def predict_features(self, features: Features, products: NDArray[np.int64]) -> RawPrediction:
        """The same from what the backbone makes of the images, on any device."""
        import torch

        with torch.inference_mode():
            features = features.to(self.network.mean.device)
            return _prediction(self.network.outputs(features, self._tensor(products)))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        import torch

        return torch.from_numpy(array).to(self.network.mean.device)


def _prediction(outputs: dict[str, Tensor]) -> RawPrediction:
    return RawPrediction(**{name: value.cpu().numpy() for name, value in outputs.items()})


def reference_engine(bundle: Bundle) -> TorchEngine:
    """The bundle's network on the processor, where it computes what it was exported as."""
    from mintad.assembly import load_network

    return TorchEngine(load_network(bundle))


@register_engine("torch", package="torch", extra="train")
def open_torch(bundle: Bundle, precision: str, *, live: bool) -> TorchEngine:
    """The same on CUDA where there is one. Raises `ConfigError` for a lower precision."""
    import torch

    if precision != "float32":
        raise ConfigError(
            f"The engine torch runs in float32, not in {precision}.", "Use the engine torch."
        )
    engine = reference_engine(bundle)
    engine.network.to("cuda" if torch.cuda.is_available() else "cpu")
    return engine
