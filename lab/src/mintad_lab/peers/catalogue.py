"""The peers, as data: what each is built from, and what it may spend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("padim", "arXiv 2011.08785", "ours", departs="100 channels drawn of three stages"),
        Peer(
            "patchcore",
            "arXiv 2106.08265",
            "ours",
            departs="at most 2,000 vectors in its memory bank, chosen among 20,000 drawn at random",
        ),
        Peer("dfm", "arXiv 1909.11786", "ours", departs="features averaged over 2x2, not 4x4"),
        Peer("stfpm", "arXiv 2103.04257", "ours", epochs=20),
        Peer("cflow", "arXiv 2107.12571", "ours", epochs=4, departs="1,024 vectors a step"),
        Peer("supersimplenet", "arXiv 2408.03143", "ours", epochs=20),
        Peer(
            "draem",
            "arXiv 2108.07610",
            "none",
            epochs=2,
            batch_size=8,
            normalised=False,
            departs="noise in the place of the textures that it pastes",
        ),
        Peer("reverse-distillation", "arXiv 2201.10703", "own", epochs=10),
        Peer("cfa", "arXiv 2206.04325", "own", epochs=10),
        Peer(
            "efficient-ad",
            "arXiv 2303.14535",
            "own",
            epochs=10,
            batch_size=1,
            size=256,
            normalised=False,
        ),
        Peer("dinomaly", "arXiv 2405.14325", "own", epochs=10, size=392),
        Peer("inp-former", "arXiv 2503.02424", "own", epochs=10, size=392),
    )
}
