"""MINT-AD's Table 8, and the small backbones whose weights come with packages."""

from mintad.backbones import backbone_spec
from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import MINT_AD, ON_MVTEC, PAPER

_IMAGE_AUROC = {
    "efficientnet_lite0": None,
    "efficientnet_lite1": None,
    "efficientnet_lite2": None,
    "resnet18": 0.931,
    "resnet34": 0.927,
    "resnet50": 0.943,
    "resnet101": 0.931,
    "efficientnet_b0": 0.983,
    "efficientnet_b2": 0.964,
    "efficientnet_b4": 0.986,
    "efficientnet_b6": 0.985,
}


def _row(name: str, published: float | None) -> Row:
    """A backbone with the stages that it is meant to be read at."""
    stages = list(backbone_spec(name).default_stages)
    return Row(
        name,
        (*MINT_AD, f"backbone.name={name}", f"backbone.stages={stages}"),
        published={} if published is None else {"i_auroc": published},
    )


TABLE = Table(
    "backbones",
    "How much depends on the backbone?",
    tuple(_row(name, published) for name, published in _IMAGE_AUROC.items()),
    source=f"{PAPER}, Table 8: {ON_MVTEC}",
)
