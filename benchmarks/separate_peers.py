"""anomalib's PatchCore and PaDiM, one model per product, on mintad's backbone and metrics.

    MINTAD_DATA=... python benchmarks/separate_peers.py --line line-5 --size 224

Both have the weights of EfficientNet-Lite2 that mintad has; each product has a model of its own, so
that the pooled metrics compare raw scores of different models. It needs `mintad[bench]`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mintad.data import read
from mintad.peers.catalogue import find_peer
from mintad.peers.measuring import run_peer
from recipes import SETS, data_roots, per_product


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--line", choices=SETS, default="line-5")
    parser.add_argument("--methods", nargs="+", default=["patchcore", "padim"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/separate-peers"))
    options = parser.parse_args()
    dataset = read(*data_roots(options.line))
    options.out.mkdir(parents=True, exist_ok=True)
    for method in options.methods:
        peer = find_peer(method, [f"size={options.size}"])
        found = run_peer(peer, dataset, separate=True, seed=options.seed)
        file = options.out / f"{method}-{options.line}-{options.size}.json"
        file.write_text(json.dumps(found | {"line": options.line}, indent=2), encoding="utf-8")
        size = found["model_bytes"] / len(dataset.products) / 1e6
        print(f"\n{method}: {found['seconds']:.0f} s, {size:.1f} MB per product\n")
        print(per_product(found["evaluation"]))


if __name__ == "__main__":
    main()
