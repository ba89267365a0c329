"""MINT-AD's Table 5. The heading of its columns was lost; their order follows from the text."""

from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import MINT_AD, ON_MVTEC, PAPER, printed


def _without(*parts: str) -> tuple[str, ...]:
    return (*MINT_AD, *(f"switches.{part}=false" for part in parts))


TABLE = Table(
    "components",
    "What does each part of MINT-AD give?",
    (
        Row(
            "none",
            _without("adaptor", "classification", "class_query", "prior"),
            published=printed(0.971, 0.447),
        ),
        Row(
            "adaptor",
            _without("classification", "class_query", "prior"),
            published=printed(0.975, 0.445),
        ),
        Row(
            "adaptor + classification",
            _without("class_query", "prior"),
            published=printed(0.977, 0.465),
        ),
        Row("adaptor + classification + query", _without("prior"), published=printed(0.981, 0.477)),
        Row(
            "adaptor + classification + prior",
            _without("class_query"),
            published=printed(0.983, 0.502),
        ),
        Row("all", MINT_AD, published=printed(0.986, 0.498)),
    ),
    source=f"{PAPER}, Table 5: {ON_MVTEC}",
)
