"""The peers, as data: what each is built from, and what it may spend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from mintad.errors import ConfigError


@dataclass(frozen=True)
class Peer:
    """One of anomalib's methods, with a budget for two cores.

    `backbone` "ours" is EfficientNet-Lite2 with the weights that mintad itself uses, "own" the
    method's own network, whose weights have to be fetched, "none" trains everything from nothing.
    `size` is the side of the square image in pixels; `epochs` 0 means that nothing is trained by
    gradient. `normalised` says whether the backbone's mean and deviation are taken out of images.
    `departs` says where it is not what its authors ran.
    """

    name: str
    paper: str
    backbone: Literal["ours", "own", "none"]
    epochs: int = 0
    batch_size: int = 16
    size: int = 224
    normalised: bool = True
    departs: str = ""

    def override(self, overrides: Iterable[str]) -> Peer:
        """The same with another budget: "epochs=4", "batch_size=8", "size=128".

        Raises `ConfigError` for another field, or what is no whole number.
        """
        changed: dict[str, int] = {}
        for text in overrides:
            name, _, value = text.partition("=")
            if name not in _OVERRIDABLE or not value.isdigit():
                raise ConfigError(
                    f"{text!r} changes nothing of a peer.",
                    f"Write one of {', '.join(_OVERRIDABLE)} and a whole number, as in epochs=4.",
                )
            changed[name] = int(value)
        if not changed:
            return self
        budget = {name: getattr(self, name) for name in _OVERRIDABLE} | changed
        said = ", ".join(f"{name} {value}" for name, value in changed.items())
        departs = f"{self.departs}; then {said}" if self.departs else said
        return replace(self, **budget, departs=departs)


_OVERRIDABLE = ("epochs", "batch_size", "size")

BACKBONE = "efficientnet_lite2"
"""Whose features the peers with mintad's backbone see."""

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "padim",
            "arXiv 2011.08785",
            "ours",
            departs="100 channels drawn at random of three stages",
        ),
        Peer(
            "patchcore",
            "arXiv 2106.08265",
            "ours",
            departs="a memory bank of at most 2,000 vectors, chosen among 20,000 drawn at random",
        ),
        Peer(
            "dfm",
            "arXiv 1909.11786",
            "ours",
            departs="features averaged over 2x2 in the place of 4x4 positions",
        ),
        Peer("stfpm", "arXiv 2103.04257", "ours", epochs=20, departs="20 epochs"),
        Peer(
            "cflow",
            "arXiv 2107.12571",
            "ours",
            epochs=4,
            departs="4 epochs, 1,024 vectors a step",
        ),
        Peer("supersimplenet", "arXiv 2408.03143", "ours", epochs=20, departs="20 epochs"),
        Peer(
            "draem",
            "arXiv 2108.07610",
            "none",
            epochs=2,
            batch_size=8,
            normalised=False,
            departs="2 epochs, and noise in the place of the textures that it pastes",
        ),
        Peer("reverse-distillation", "arXiv 2201.10703", "own", epochs=10, departs="10 epochs"),
        Peer("cfa", "arXiv 2206.04325", "own", epochs=10, departs="10 epochs"),
        Peer(
            "efficient-ad",
            "arXiv 2303.14535",
            "own",
            epochs=10,
            batch_size=1,
            size=256,
            normalised=False,
            departs="10 epochs",
        ),
        Peer("dinomaly", "arXiv 2405.14325", "own", epochs=10, size=392, departs="10 epochs"),
        Peer("inp-former", "arXiv 2503.02424", "own", epochs=10, size=392, departs="10 epochs"),
    )
}
