"""MINT-AD's Table 4, its first part."""

from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import MINT_AD, ON_MVTEC, PAPER, printed

TABLE = Table(
    "class-aware",
    "Which way of telling a model the product helps most?",
    (
        Row("uniad", ("model=uniad",), published=printed(0.965, 0.445)),
        Row("uniad-query-pool", ("model=uniad-query-pool",), published=printed(0.976, 0.470)),
        Row("uniad-class-token", ("model=uniad-class-token",), published=printed(0.979, 0.470)),
        Row(
            "uniad-text-prompt",
            ("model=uniad-text-prompt", "switches.text_encoder=minilm"),
            published=printed(0.977, 0.463),
        ),
        Row("mint-ad", MINT_AD, published=printed(0.986, 0.498)),
    ),
    source=f"{PAPER}, Table 4: {ON_MVTEC}",
)
