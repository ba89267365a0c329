"""Backbone and model put together: from a recipe, or from a bundle, to a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mintad.backbones import (
    Backbone,
    BackboneConfig,
    create_backbone,
    create_student,
    embed_products,
    restore_backbone,
)
from mintad.bundle import BACKBONE_FILE, MODEL_FILE, Bundle
from mintad.data import Preprocessing
from mintad.errors import BundleError
from mintad.features import Features, FeatureShape
from mintad.models import AnomalyModel, TextConfig, create_model, model_class, model_config

if TYPE_CHECKING:
    from mintad.training.recipe import Recipe

__all__ = [
    "Network",
    "build_model",
    "load_backbone",
    "load_model",
    "load_network",
    "state_arrays",
]


class Network(nn.Module):
    """Normalisation, backbone and model: what is trained, and what an engine has to run.

    Features are not rounded to half precision here, as those of the cache are.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        model: AnomalyModel,
        preprocessing: Preprocessing,
        text_channels: int = 0,
    ) -> None:
        """`text_channels` is the length of the text embeddings that the model was made with."""
        super().__init__()
        self.backbone = backbone
        self.model = model
        self.preprocessing = preprocessing
        self.text_channels = text_channels
        self.image_size = (preprocessing.height, preprocessing.width)
        self.register_buffer("mean", torch.tensor(preprocessing.mean))
        self.register_buffer("std", torch.tensor(preprocessing.std))

    def forward(self, images: Tensor, products: Tensor) -> dict[str, Tensor]:
        """Images `uint8 (B, h, w, 3)` and products `int64 (B,)`, -1 = recognise; named outputs."""
        normalised = (images.float() - self.mean) / self.std  # (B, h, w, 3)
        return self.outputs(self.backbone(normalised.permute(0, 3, 1, 2)), products)

    def outputs(self, features: Features, products: Tensor) -> dict[str, Tensor]:
        """The same from what the backbone makes of the images."""
        prediction = self.model.predict(features, products)
        outputs = {"anomaly_map": prediction.anomaly_map, "raw_score": prediction.raw_score}
        if prediction.product_logits is not None:
            outputs["product_logits"] = prediction.product_logits
        return outputs | self.model.description(features, products)


def build_model(
    recipe: Recipe,
    products: Sequence[str],
    *,
    backbone: Backbone | None = None,
    texts: Tensor | None = None,
) -> Network:
    """The network of a recipe for these products, untrained.

    Whatever it needs is made: the backbone with its weights, the text embeddings of the products'
    names, a student. A `backbone`, or `texts` `(K, E)`, that are at hand can be given. Weights
    are drawn from torch's generator, which the caller seeds, those of a student from the recipe's
    seed. Raises `ConfigError` for a recipe that cannot be, `WeightsError` or `MissingExtraError`
    for what this machine lacks.
    """
    config = model_config(recipe.model, recipe.switches)
    if not model_class(recipe.model).requirements.text:
        texts = None
    elif texts is None:
        assert isinstance(config, TextConfig)
        texts = embed_products(config.text_encoder, products, config.template)
    if backbone is None:
        backbone = create_backbone(recipe.backbone)
    limits = {"max_pixels": recipe.max_pixels, "bit_depth": recipe.bit_depth}
    preprocessing = backbone.preprocessing(recipe.resize).model_copy(update=limits)
    shape = backbone.shape(preprocessing.height, preprocessing.width)
    model = _model(
        recipe.model,
        recipe.switches,
        shape,
        len(products),
        backbone=backbone.config,
        texts=texts,
        seed=recipe.seed,
    )
    return Network(backbone, model, preprocessing, 0 if texts is None else texts.shape[1])


def _model(
    name: str,
    switches: dict[str, Any],
    shape: FeatureShape,
    products: int,
    *,
    backbone: BackboneConfig,
    texts: Tensor | None,
    seed: int = 0,
) -> AnomalyModel:
    """The model with the parts that its method needs."""
    needs = model_class(name).requirements
    parts: dict[str, Any] = {"texts": texts} if needs.text else {}
    if needs.student:
        parts["student"] = create_student(backbone, seed)
    return create_model(name, switches, shape, products, **parts)


def load_network(bundle: Bundle) -> Network:
    """The bundle's network, in eval mode, on the processor."""
    manifest = bundle.manifest
    return Network(
        load_backbone(bundle),
        load_model(bundle),
        manifest.preprocessing,
        manifest.model.text_channels,
    ).eval()


def load_model(bundle: Bundle) -> AnomalyModel:
    """The bundle's model, in eval mode. Raises `BundleError` where its weights do not fit."""
    entry, products = bundle.manifest.model, len(bundle.manifest.products)
    model = _model(
        entry.name,
        entry.switches,
        entry.shape,
        products,
        backbone=bundle.manifest.backbone.config,
        texts=torch.zeros(products, entry.text_channels),  # the bundle's own come with the weights
    )
    _load_state(model, bundle, MODEL_FILE)
    return model.eval()


def load_backbone(bundle: Bundle) -> Backbone:
    """The bundle's frozen backbone. Raises `WeightsError` where its weights do not fit."""
    return restore_backbone(bundle.manifest.backbone.config, _state(bundle, BACKBONE_FILE))


def _load_state(module: torch.nn.Module, bundle: Bundle, file: str) -> None:
    try:
        module.load_state_dict(_state(bundle, file))
    except RuntimeError as error:
        raise BundleError(
            f"{bundle.file(file)} does not fit the manifest: {error}.",
            "Use the version of mintad that wrote the bundle.",
        ) from None


def _state(bundle: Bundle, file: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in bundle.tensors(file).items()}


def state_arrays(module: torch.nn.Module) -> dict[str, NDArray[np.generic]]:
    """A module's state as numpy arrays, for `write_bundle`."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
