"""MINT-AD's Table 9, and what it leaves open."""

from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import MINT_AD, ON_MVTEC, PAPER, printed

TABLE = Table(
    "query-network",
    "What should make the queries, and how?",
    (
        Row("inr", MINT_AD, published=printed(0.986, 0.498)),
        Row(
            "mlp",
            (*MINT_AD, "switches.query_network=mlp", "switches.prior=false"),
            published=printed(0.980, 0.498),
        ),
        Row("inr softmax", (*MINT_AD, "switches.token_activation=softmax")),
        Row("inr pooled", (*MINT_AD, "switches.token_source=pooled")),
        Row("inr full", (*MINT_AD, "switches.modulation=full")),
        Row("inr adapted", (*MINT_AD, "switches.target=adapted")),
    ),
    source=f"{PAPER}, Table 9: {ON_MVTEC}",
)
