"""Rows that several tables share."""

from __future__ import annotations

from mintad_lab.experiment.table import Figures, Row
from mintad_lab.peers.catalogue import PEERS

MINT_AD = ("model=mint-ad", "switches.token_activation=layernorm")
"""The paper's MINT-AD, but for a LayerNorm in the place of the softmax behind its token."""

PAPER = "MINT-AD, arXiv 2403.14213"
ON_MVTEC = "MVTec AD, 15 products"

DEFAULT = Row("mint-ad default", recipe="default")
QUALITY = Row("mint-ad quality", recipe="quality")
FAST = Row("mint-ad fast", recipe="fast")
TRANSFORMER = Row("mint-ad transformer", MINT_AD)
UNIAD = Row("uniad", ("model=uniad",))
SNL = Row("snl-rd4ad", ("model=snl-rd4ad",), "rd4ad")
PEER_ROWS = {name: Row(name, peer=peer) for name, peer in PEERS.items()}

UNIFIED = (DEFAULT, QUALITY, FAST, TRANSFORMER, UNIAD, SNL, *PEER_ROWS.values())
"""Every method, with one model over all products."""

ROBUST = (DEFAULT, FAST, UNIAD, PEER_ROWS["padim"], PEER_ROWS["patchcore"])
"""Those that the harder conditions are tried on."""


def printed(i_auroc: float, p_ap: float) -> Figures:
    """What a paper prints for a row: image AUROC and pixel AP."""
    return {"i_auroc": i_auroc, "p_ap": p_ap}
