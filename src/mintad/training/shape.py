"""From a backbone and its input to the shape that a model is built for."""

from __future__ import annotations

from mintad.backbones import Backbone
from mintad.data import Preprocessing
from mintad.models import InputShape


def input_shape(
    backbone: Backbone, preprocessing: Preprocessing, products: int, text_channels: int = 0
) -> InputShape:
    """The shape of what `backbone` makes of images prepared by `preprocessing`."""
    size = (preprocessing.height, preprocessing.width)
    grids = backbone.grids(*size)
    return InputShape(
        stage_channels=backbone.stage_channels,
        grid=backbone.grid(*size),
        image_size=size,
        products=products,
        text_channels=text_channels,
        stage_grids=backbone.stage_grids(*size),
        with_image=backbone.config.sampling == "native-image",
        grids=grids if len(grids) > 1 else (),
    )
