"""What was measured, and how: the `config` beside every evaluation's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict

from mintad.errors import ConfigError
from mintad.metrics.profiles import reference_profile

if TYPE_CHECKING:
    from mintad.bundle import Manifest

T = TypeVar("T")

_CALIBRATED = "calibrated per product on good training images"
_RAW = "raw: the product was neither given nor recognised"


class EvaluationConfig(BaseModel):
    """What an evaluation measured, and how.

    `evaluation_size` (height, width) is that of the maps in pixels. `product_accuracy` is the
    share of images that were inspected as their own product: 1 where it was given, None where
    none was recognised or each product has a bundle. What several `bundles` do not agree on, or
    what is not known, is None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundles: int
    bundle_created: str | None = None
    model: str | None = None
    recipe: str | None = None
    seed: int | None = None
    backbone: str | None = None
    evaluation_size: tuple[int, int]
    resize: str | None = None
    product_given: bool
    product_accuracy: float | None = None
    scores: str
    mask_binarised_at: float = reference_profile().mask_threshold
    aupro_fpr_limit: float = reference_profile().aupro_limit
    images: int
    mintad: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.model_dump(mode="json")


def evaluation_config(
    manifests: Sequence[Manifest],
    products: Sequence[tuple[str, str | None]],
    give_product: bool,
) -> EvaluationConfig:
    """The config of bundles that were measured together.

    `products` holds, for each image, its product and the one that it was inspected as. Where
    there are several bundles, the product says which of them looks at the image. Raises
    `ConfigError` for bundles that prepare images to different sizes.
    """
    prepared = [manifest.preprocessing for manifest in manifests]
    sizes = {(preprocessing.height, preprocessing.width) for preprocessing in prepared}
    if len(sizes) != 1:
        raise ConfigError(
            "The bundles prepare images to different sizes, so their maps cannot be compared.",
            "Evaluate them one by one, or train them with the same backbone.input_size.",
        )
    named = any(inspected is not None for _, inspected in products)
    known = {name for manifest in manifests for name in manifest.product_names}
    comparable = named and len(manifests) == 1 and known >= {product for product, _ in products}
    right = sum(product == inspected for product, inspected in products)
    return EvaluationConfig(
        bundles=len(manifests),
        bundle_created=_shared(manifest.created for manifest in manifests),
        model=_shared(manifest.model.name for manifest in manifests),
        recipe=_shared(manifest.recipe.get("name") for manifest in manifests),
        seed=_shared(manifest.recipe.get("seed") for manifest in manifests),
        backbone=_shared(manifest.backbone.config.name for manifest in manifests),
        evaluation_size=sizes.pop(),
        resize=_shared(preprocessing.resize for preprocessing in prepared),
        product_given=give_product,
        product_accuracy=right / len(products) if comparable else None,
        scores=_CALIBRATED if named else _RAW,
        images=len(products),
        mintad=_shared(manifest.mintad for manifest in manifests),
    )


def _shared(values: Iterable[T]) -> T | None:
    """The value that all have in common, None where they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
