"""The peers, as data: what each is built from, and what it may spend."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal

from mintad.errors import ConfigError

_BUDGET = ("epochs", "batch_size", "size")


@dataclass(frozen=True)
class Peer:
    """One of anomalib's methods, with a budget for two cores.

    `backbone` "ours" is EfficientNet-Lite2 with the weights that mintad itself uses, "own" the
    method's own network, whose weights have to be fetched, "none" trains everything from nothing.
    `size` is the side of the square image in pixels; `epochs` 0 means that nothing is trained by
    gradient. `normalised` says whether the backbone's mean and deviation are taken out of images.
    `departs` says where, besides the budget, it is not what its authors ran.
    """

    name: str
    paper: str
    backbone: Literal["ours", "own", "none"]
    epochs: int = 0
    batch_size: int = 16
    size: int = 224
    normalised: bool = True
    departs: str = ""

    @property
    def description(self) -> str:
        """Its budget, and where it departs from its paper."""
        passes = f"{self.epochs} epochs" if self.epochs else "one pass"
        budget = f"{passes} at {self.size}x{self.size} pixels"
        return f"{budget}, {self.departs}" if self.departs else budget

    def override(self, overrides: Iterable[str]) -> Peer:
        """The same with another budget: "epochs=4", "batch_size=8", "size=128".

        Raises `ConfigError` for another field, or what is no whole number.
        """
        changed: dict[str, int] = {}
        for text in overrides:
            name, _, value = text.partition("=")
            if name not in _BUDGET or not value.isdigit():
                raise ConfigError(
                    f"{text!r} changes nothing of a peer.",
                    f"Write one of {', '.join(_BUDGET)} and a whole number, as in epochs=4.",
                )
            changed[name] = int(value)
        return replace(self, **changed)  # type: ignore[arg-type]


BACKBONE = "efficientnet_lite2"
"""Whose features the peers with mintad's backbone see."""

_FILE = resources.files(__package__) / "peers.toml"

PEERS = {
    name: Peer(name, **fields)
    for name, fields in tomllib.loads(_FILE.read_text(encoding="utf-8")).items()
}
"""The peers by name."""
