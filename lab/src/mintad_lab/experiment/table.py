"""What an experiment is made of: rows, cases, and tables of both."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mintad.errors import ConfigError
from mintad_lab.peers.catalogue import PEERS, Peer

Against = Literal["the first row", "the first case", "a model for each product"]

Figures = Mapping[str, float]
"""What is printed elsewhere, by metric: `i_auroc`, `p_ap`."""


@dataclass(frozen=True)
class Row:
    """A recipe of mintad's with overrides, or a peer; one model, or one for each product.

    `overrides` are written as for `mintad train --set`: "FIELD=VALUE". `name` is part of the
    names of folders.
    """

    name: str
    overrides: tuple[str, ...] = ()
    recipe: str | Path = "study"
    peer: Peer | None = None
    separate: bool = False
    published: Figures = field(default_factory=dict)

    def apart(self) -> Row:
        """The same with a model for each product."""
        return replace(self, name=f"{self.name} separate", separate=True)

    def settings(self, seed: int) -> list[str]:
        """The overrides of one training; no graph is exported, for nothing would use it."""
        return [*self.overrides, "export=false", f"seed={seed}"]


@dataclass(frozen=True)
class Case:
    """One condition of a table.

    `kind` "few" keeps `amount` good training images of each product; "contaminated" adds defects
    from the test images, called good, until they are `amount` of the training images;
    "mislabelled" gives `amount` of the training images another product; "shifted" changes the
    test images as `mintad_lab.experiment.shifting` says of `name`; "many" is a split of CIFAR-10
    by its normal classes, the digits of `name`. "clean" changes nothing. `published` are the
    figures of rows under this case alone.
    """

    name: str = "all images"
    kind: Literal["clean", "few", "contaminated", "mislabelled", "shifted", "many"] = "clean"
    amount: float = 0.0
    published: Mapping[str, Figures] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A question, and the rows that answer it under every case.

    `against` says what the paired differences are to. `from_images` lets every run see its images
    for the first time, so that its seconds hold the pass of the backbone. `shares_training` says
    that the cases differ in their test images alone. `source` says where the published figures
    are from, and what they were measured on.
    """

    name: str
    question: str
    rows: tuple[Row, ...]
    cases: tuple[Case, ...] = (Case(),)
    against: Against = "the first row"
    from_images: bool = False
    shares_training: bool = False
    note: str = ""
    source: str = ""

    def select(self, rows: Sequence[str] = (), cases: Sequence[str] = ()) -> Table:
        """The same with some of its rows and cases; none named: all.

        Raises `ConfigError` for one that it does not have.
        """
        self._check(rows, self.rows, "row")
        self._check(cases, self.cases, "case")
        return replace(
            self,
            rows=tuple(row for row in self.rows if not rows or row.name in rows),
            cases=tuple(case for case in self.cases if not cases or case.name in cases),
        )

    def override(
        self,
        overrides: Iterable[str] = (),
        peer_overrides: Iterable[str] = (),
        recipe: str | Path | None = None,
    ) -> Table:
        """The same with more overrides, or all mintad's rows on another recipe.

        "FIELD=VALUE" goes to every row of mintad's, below what the row itself sets,
        "ROW:FIELD=VALUE" to one row, above it; in `peer_overrides` to every peer, or to the one
        named. Raises `ConfigError` for a row, peer or field that is not there.
        """
        ours, theirs = _by_owner(overrides), _by_owner(peer_overrides)
        self._check([name for name in ours if name], self.rows, "row")
        self._check([name for name in theirs if name], list(PEERS.values()), "peer")
        rows = []
        for row in self.rows:
            if row.peer is not None:
                own = [*theirs[""], *theirs[row.peer.name]]
                rows.append(replace(row, peer=row.peer.override(own)))
            else:
                settings = (*ours[""], *row.overrides, *ours[row.name])
                rows.append(replace(row, overrides=settings, recipe=recipe or row.recipe))
        return replace(self, rows=tuple(rows))

    def _check(self, asked: Iterable[str], known: Sequence[Any], what: str) -> None:
        names = [item.name for item in known]
        for name in asked:
            if name not in names:
                raise ConfigError(
                    f"The table {self.name} has no {what} {name!r}.",
                    f"Its {what}s: {', '.join(names)}.",
                )


def slug(name: str) -> str:
    """`name` as part of a folder's name."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-")


def _by_owner(texts: Iterable[str]) -> defaultdict[str, list[str]]:
    """The overrides "FIELD=VALUE" of each "OWNER:FIELD=VALUE"; those without one under ""."""
    owned: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        field_, equals, value = text.partition("=")
        owner, _, field_ = field_.rpartition(":")
        owned[owner].append(f"{field_}{equals}{value}")
    return owned
