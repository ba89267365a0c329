"""How fast a training step is: against UniAD's order of work, and against the machine.

    python benchmarks/step_speed.py --batch 16 --products 5

Three measurements in one process, interleaved, the median of each:
- mintad: MINT-AD's transformer on cached features, in the precision that `auto` takes;
- the published order of work: backbone in every step, float32, eager, torch's fused attention,
  at the same model size;
- the machine's matrix rate: one large product in bfloat16 (or float32 without it).
The arithmetic of a step is counted by torch on the same step: 3 times its forward products.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from _benchmark import options_of, write_results
from _steps import SHAPE, random_features, training_step
from mintad.backbones import BackboneConfig, create_backbone
from mintad.features import Features
from mintad.layers import Attention
from mintad.models import AnomalyModel, create_model
from mintad.training import load_recipe, precision
from mintad_lab import markdown

SIDE = 4096
"""The side of the two matrices of the large product."""


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--products", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="measure torch.compile, too")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch = options.batch
    recipe = load_recipe("study")
    low = torch.bfloat16 if precision(recipe) == "bfloat16" else torch.float32
    switches = recipe.switches | {"dropout": 0.0}
    ours = create_model("mint-ad", switches, SHAPE, options.products).train()
    theirs = create_model("uniad", {}, SHAPE, options.products).train()
    for module in theirs.modules():
        if isinstance(module, Attention):
            fuse(module)
    backbone = create_backbone(BackboneConfig(name="efficientnet_lite2", stages=(1, 2, 3, 4)))
    tokens = random_features(SHAPE, batch).tokens.half()
    images = torch.randn(batch, 3, *SHAPE.image_size)
    products = torch.arange(batch) % options.products

    def cached() -> Features:
        return Features(tokens=tokens.float())

    def from_images() -> Features:
        with torch.no_grad():
            return backbone(images)

    left, right = (torch.randn(SIDE, SIDE, dtype=low) for _ in range(2))
    steps: dict[str, Callable[[], object]] = {
        "published order of work, float32": stepper(theirs, from_images, products, torch.float32),
        f"mintad, cached features, {low}": stepper(ours, cached, products, low),
    }
    cached_step = steps[f"mintad, cached features, {low}"]
    if options.compile:
        compiled = copy.deepcopy(ours)
        compiled.loss = torch.compile(compiled.loss)  # type: ignore[method-assign]
        steps["the same, torch.compile"] = stepper(compiled, cached, products, low)
    seconds = medians([*steps.values(), lambda: left @ right], options.rounds)
    rows = [
        [name, f"{batch / taken:.1f}", f"{seconds[0] / taken:.1f}"]
        for name, taken in zip(steps, seconds, strict=False)
    ]
    with FlopCounterMode(display=False) as counter:
        cached_step()
    work = counter.get_total_flops()
    rate, reached = 2 * SIDE**3 / seconds[-1] / 1e9, work / seconds[1] / 1e9
    title = f"{options.threads} threads, batch {batch}"
    text = (
        f"{markdown.table([title, 'images/s', 'ratio'], rows)}\n"
        f"{work / batch / 1e9:.2f} GFLOP per image and step; {reached:.0f} GFLOP/s in the step, "
        f"{rate:.0f} GFLOP/s in a {SIDE} matrix product: {reached / rate:.2f} of it.\n"
    )
    content = {"seconds": dict(zip([*steps, "matrix"], seconds, strict=True)), "flop": work}
    write_results("step_speed", content, text, options.out)
    if options.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            cached_step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


def stepper(
    model: AnomalyModel, features: Callable[[], Features], products: Tensor, low: torch.dtype
) -> Callable[[], None]:
    """One whole step, the making of the features included."""
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4, fused=low == torch.bfloat16)
    seeds = torch.arange(len(products))
    return lambda: training_step(model, optimiser, features(), products, low, seeds)


def medians(steps: list[Callable[[], object]], rounds: int) -> list[float]:
    """The median seconds of each, over rounds through all of them; the first is not counted."""
    seconds = []
    for _ in range(rounds + 1):
        seconds.append([])
        for step in steps:
            start = time.perf_counter()
            step()
            seconds[-1].append(time.perf_counter() - start)
    return [median(taken) for taken in zip(*seconds[1:], strict=True)]


def fuse(attention: Attention) -> None:
    """Lets it train with torch's fused attention, as a plain transformer does."""

    def forward(query: Tensor, key: Tensor, value: Tensor, blocked: Tensor | None = None) -> Tensor:
        projected = (attention.query(query), attention.key(key), attention.value(value))
        heads = [x.unflatten(2, (attention.heads, -1)).transpose(1, 2) for x in projected]
        seen = F.scaled_dot_product_attention(
            *heads,
            attn_mask=None if blocked is None else ~blocked,
            dropout_p=attention.dropout,
        )
        return attention.out(seen.transpose(1, 2).flatten(2))  # (B, P, D)

    attention.forward = forward  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
