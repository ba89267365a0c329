"""MINT-AD's Table 4, its second part."""

from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import MINT_AD, ON_MVTEC, PAPER, printed

TABLE = Table(
    "prompts",
    "What should the class token be made from?",
    (
        Row(
            "image",
            (*MINT_AD, "switches.prompt=image", "switches.classification=false"),
            published=printed(0.978, 0.465),
        ),
        Row("label", (*MINT_AD, "switches.prompt=label"), published=printed(0.980, 0.472)),
        Row("feature", (*MINT_AD, "switches.prompt=feature"), published=printed(0.986, 0.498)),
    ),
    source=f"{PAPER}, Table 4: {ON_MVTEC}",
)
