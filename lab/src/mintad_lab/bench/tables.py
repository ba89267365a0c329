"""The tables of the book, as data: their cases, their rows, and what a row is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mintad.errors import ConfigError
from mintad_lab.bench.cases import Case
from mintad_lab.peers.catalogue import PEERS, Peer, find_peer

Against = Literal["the first row", "the first case", "a model for each product"]


@dataclass(frozen=True)
class Method:
    """A row: a recipe of mintad with overrides, or a peer; one model, or one for each product."""

    name: str
    recipe: str = "study"
    overrides: tuple[str, ...] = ()
    peer: Peer | None = None
    separate: bool = False

    def apart(self) -> Method:
        """The same with a model for each product."""
        return replace(self, name=f"{self.name} separate", separate=True)


@dataclass(frozen=True)
class Table:
    """A table: every method under every case.

    `against` says what the paired differences are to. `from_images` lets every training see its
    images for the first time, so that its seconds hold the pass of the backbone. `shares_training`
    says that the cases differ in their test images alone. `paper` maps a case and a row to the
    image AUROC that is printed elsewhere, `source` says where.
    """

    name: str
    question: str
    methods: tuple[Method, ...]
    cases: tuple[Case, ...] = (Case("all images"),)
    against: Against = "the first row"
    from_images: bool = False
    shares_training: bool = False
    note: str = ""
    source: str = ""
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


_TRANSFORMER = ("model=mint-ad", "switches.token_activation=layernorm")
DEFAULT = Method("mint-ad default", "default")
QUALITY = Method("mint-ad quality", "quality")
FAST = Method("mint-ad fast", "fast")
TRANSFORMER = Method("mint-ad transformer", overrides=_TRANSFORMER)
UNIAD = Method("uniad", overrides=("model=uniad",))
SNL = Method("snl-rd4ad", "rd4ad", ("model=snl-rd4ad",))
PEER_ROWS = {name: Method(name, peer=peer) for name, peer in PEERS.items()}

_CIFAR = (
    "backbone.input_size=[112, 112]",
    "backbone.stages=[0, 1, 2, 3, 4]",
    "switches.raw_score=mean",
)
_CIFAR_TRAINED = (
    *_CIFAR,
    "switches.encoder_layers=2",
    "switches.decoder_layers=2",
    "training.epochs=1",
    "training.batch_size=64",
    "training.holdout=0.02",
)
CIFAR_ROWS = (
    Method("mint-ad", overrides=(*_TRANSFORMER, *_CIFAR_TRAINED)),
    Method("uniad", overrides=("model=uniad", "switches.mask_window=3", *_CIFAR_TRAINED)),
    Method("mint-ad closed form", "fast", _CIFAR),
)
CIFAR_PAPER = {
    "01234": {"mint-ad": 0.867, "uniad": 0.844},
    "56789": {"mint-ad": 0.833, "uniad": 0.809},
    "02468": {"mint-ad": 0.936, "uniad": 0.930},
    "13579": {"mint-ad": 0.926, "uniad": 0.906},
}

_UNIFIED = (DEFAULT, QUALITY, FAST, TRANSFORMER, UNIAD, SNL, *PEER_ROWS.values())
_ROBUST = (DEFAULT, FAST, UNIAD, PEER_ROWS["padim"], PEER_ROWS["patchcore"])

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "line",
            "Which method inspects a line of several products best?",
            tuple(row for method in _UNIFIED for row in (method, method.apart())),
            from_images=True,
        ),
        Table(
            "cifar10",
            "Many against many: which classes were not among the normal ones?",
            CIFAR_ROWS,
            tuple(Case(name, "many") for name in CIFAR_PAPER),
            note="All 25,000 normal training and 10,000 test images, read from Parquet in which "
            "they are JPEG: close to the lossless set, not equal. Against the paper: 112 in the "
            "place of 224 pixels and a 7x7 grid in the place of 14x14, EfficientNet-Lite2 in the "
            "place of b4, 2 + 2 in the place of 4 + 4 layers, 1 in the place of 1000 epochs, "
            "UniAD's mask window 3 in the place of 7, the last epoch and not the best one.",
            source="MINT-AD, arXiv 2403.14213",
            paper=CIFAR_PAPER,
        ),
        Table("merged", "And with every product at once?", _UNIFIED),
        Table(
            "unified-vs-separate",
            "Is one model over all products as good as one for each?",
            tuple(
                row
                for method in (DEFAULT, TRANSFORMER, UNIAD, *_ROBUST[3:])
                for row in (method, method.apart())
            ),
            against="a model for each product",
        ),
        Table(
            "low-data",
            "How few good images of a product are enough?",
            _ROBUST,
            (Case("all images"), *(Case(f"{n} images", "few", n) for n in (64, 16, 4))),
            against="the first case",
            note="The smaller sets are parts of the larger ones; each seed draws its own.",
        ),
        Table(
            "contaminated",
            "What if there are defects among the training images?",
            _ROBUST,
            tuple(Case(f"{share:.0%}", "contaminated", share) for share in (0.0, 0.05, 0.1)),
            against="the first case",
            note="The defects come from the test images, at most half of a product's; those set "
            "aside for the largest share are missing from every test, so that all cases of a seed "
            "have the same one.",
        ),
        Table(
            "mislabelled",
            "What if training images carry the name of another product?",
            _ROBUST,
            tuple(Case(f"{share:.0%}", "mislabelled", share) for share in (0.0, 0.05, 0.2)),
            against="the first case",
            note="Unified peers are told no product and cannot be harmed by a wrong one.",
        ),
        Table(
            "shift",
            "What if the test images are taken on another day?",
            _ROBUST,
            (
                Case("as they are"),
                *(
                    Case(name, "shifted")
                    for name in ("brighter", "darker", "blurred", "turned", "another session")
                ),
            ),
            against="the first case",
            shares_training=True,
            note="Training images and calibration are those of the first case.",
        ),
    )
}


def find_table(name: str) -> Table:
    """A table by name. Raises `ConfigError` for an unknown one."""
    if name not in TABLES:
        raise ConfigError(
            f"There is no table named {name!r}.", f"Choose one of: {', '.join(TABLES)}."
        )
    return TABLES[name]


def choose(
    table: Table,
    rows: Sequence[str] = (),
    cases: Sequence[str] = (),
    overrides: Sequence[str] = (),
    peer_overrides: Sequence[str] = (),
) -> Table:
    """The table with some of its rows and cases, and with overrides.

    "FIELD=VALUE" goes to every recipe, below what a row itself sets, "ROW:FIELD=VALUE" to one row,
    above it; those of peers are as for `find_peer`. Raises `ConfigError` for a row, case or field
    that is not there.
    """
    _check(rows, [method.name for method in table.methods], "row")
    _check(cases, [case.name for case in table.cases], "case")
    shared = tuple(text for text in overrides if ":" not in text.partition("=")[0])
    own = [text for text in overrides if text not in shared]
    _check([text.partition(":")[0] for text in own], [one.name for one in table.methods], "row")
    methods = tuple(
        replace(method, peer=find_peer(method.peer.name, peer_overrides))
        if method.peer is not None
        else replace(
            method,
            overrides=(
                *shared,
                *method.overrides,
                *(text.partition(":")[2] for text in own if text.partition(":")[0] == method.name),
            ),
        )
        for method in table.methods
        if not rows or method.name in rows
    )
    kept = tuple(case for case in table.cases if not cases or case.name in cases)
    return replace(table, methods=methods, cases=kept)


def tables_text() -> str:
    """The tables, each with its cases and rows."""
    lines = []
    for table in TABLES.values():
        lines += [f"{table.name}: {table.question}"]
        lines += [f"  cases: {', '.join(case.name for case in table.cases)}"]
        lines += [f"  rows: {', '.join(method.name for method in table.methods)}", ""]
    return "\n".join(lines).rstrip()


def _check(asked: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in asked:
        if name not in known:
            raise ConfigError(
                f"The table has no {what} {name!r}.", f"Its {what}s: {', '.join(known)}."
            )
