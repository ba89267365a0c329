"""MINT-AD's Table 1, and other methods beside it."""

from collections.abc import Iterator

from mintad_lab.experiment.table import Row, Table
from mintad_lab.tables.rows import DEFAULT, MINT_AD, ON_MVTEC, PAPER, ROBUST, UNIAD


def _both(row: Row, published: tuple[float, ...] = ()) -> Iterator[Row]:
    """One model over all products, and one for each; `published` are their image AUROCs."""
    for number, separate in enumerate((False, True)):
        yield Row(
            f"{row.name} {'separate' if separate else 'unified'}",
            row.overrides,
            row.recipe,
            row.peer,
            separate,
            {"i_auroc": published[number]} if published else {},
        )


TABLE = Table(
    "unified-vs-separate",
    "Is one model over all products as good as one for each?",
    (
        *_both(Row("mint-ad", MINT_AD), (0.986, 0.977)),
        *_both(UNIAD, (0.965, 0.966)),
        *(row for method in (DEFAULT, *ROBUST[3:]) for row in _both(method)),
    ),
    against="a model for each product",
    source=f"{PAPER}, Table 1: {ON_MVTEC}",
)
