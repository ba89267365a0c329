"""What helps a recipe, one change at a time: each row is one change against the row above all.

    MINTAD_DATA=... python benchmarks/convergence.py --line line-5 --seeds 0 --epochs 2

Two tables with a plot each: the closed form (against `fast`) and the transformer trained from
nothing (against `study`, with --epochs; --set makes its rows smaller). Rows that are done are not
done again. What is chosen by such a table is chosen on these test images: confirm it on products
left out (--line left-out).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mintad.data import read
from mintad_lab.experiment.running import Means, run_table
from mintad_lab.experiment.table import Row, Table
from recipes import SETS, data_roots

CLOSED_FORM = {
    "fast": (),
    "score: map maximum": ("switches.image_score=max",),
    "score: pooled maximum": ("switches.image_score=pooled-max",),
    "score: highest 1% of pixels": ("switches.image_score=top-k",),
    "map smoothed, 4 px": ("switches.smoothing=4",),
    "map smoothed, 8 px": ("switches.smoothing=8",),
    "rank 0: means alone": ("switches.rank=0",),
    "rank 8": ("switches.rank=8",),
    "rank 16": ("switches.rank=16",),
    "rank 64": ("switches.rank=64",),
    "code 64": ("switches.code=64",),
    "code 128": ("switches.code=128",),
    "code 544: all channels": ("switches.code=544",),
    "stages weighed by size": ("switches.balance=0",),
    "points in place of areas": ("backbone.sampling=bilinear",),
    "stages 1 to 4": ("backbone.stages=[0, 1, 2, 3]",),
    "EfficientNet-Lite0": ("backbone.name=efficientnet_lite0",),
    "EfficientNet-Lite1": ("backbone.name=efficientnet_lite1",),
    "320 px, 20x20": ("backbone.input_size=[320, 320]",),
    "448 px, 28x28": ("backbone.input_size=[448, 448]",),
    "320 and 224 px": ("backbone.input_size=[320, 320]", "backbone.also_at=[[224, 224]]"),
}
BASE = (
    "model=mint-ad",
    "switches.token_source=pooled",
    "switches.token_activation=layernorm",
    "switches.dropout=0.0",
    "switches.image_score=top-cells",
)
START = ("switches.start=subspaces", "switches.code=256", "switches.balance=0.5")
TRANSFORMER = {
    "base": (),
    "post-norm": ("switches.norm=post",),
    "zero-initialised branches": ("switches.zero_init=true",),
    "lr 1e-4, constant": ("training.learning_rate=1e-4", "training.schedule=constant"),
    "lr 4e-4, betas .9, .999": ("training.learning_rate=4e-4", "training.betas=[0.9, 0.999]"),
    "jitter 1.21 (UniAD)": ("switches.jitter_ratio=1.2127",),
    "jitter 0.3": ("switches.jitter_ratio=0.3",),
    "features as they are": ("switches.standardise=false",),
    "cosine loss": ("switches.loss=cosine",),
    "hardest half of the positions": ("switches.easy_share=0.5",),
    "bottleneck dropout 0.2": ("switches.bottleneck_dropout=0.2",),
    "dropout 0.1": ("switches.dropout=0.1",),
    "token from positions": ("switches.token_source=positions",),
    "moving average 0.99": ("training.average=0.99",),
    "prior fused into the map": ("switches.prior_map=1.0",),
    "14x14 positions": ("backbone.stride=16",),
    "behind the closed form": (*START, "switches.standardise=false", "switches.zero_init=true"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--line", choices=SETS, default="line-5")
    parser.add_argument("--tables", nargs="+", default=["closed-form", "transformer"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/convergence"))
    options = parser.parse_args()
    epochs = f"training.epochs={options.epochs}"
    tables = {
        "closed-form": [Row(name, row, "fast") for name, row in CLOSED_FORM.items()],
        "transformer": [
            Row(name, (*BASE, epochs, *options.overrides, *row))
            for name, row in TRANSFORMER.items()
        ],
    }
    dataset = read(*data_roots(options.line))
    for name in options.tables:
        page = run_table(
            Table(name, f"{name}, {options.line}", tuple(tables[name])),
            dataset,
            options.out / options.line,
            seeds=options.seeds,
            means=Means(options.cache),
        )
        print(page.read_text("utf-8"))


if __name__ == "__main__":
    main()
