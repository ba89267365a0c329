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

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mintad.backbones import BackboneConfig, create_backbone
from mintad.features import Features, FeatureShape
from mintad.layers import attention
from mintad.models import AnomalyModel, create_model
from mintad.training.fit import precision
from mintad.training.recipe import load_recipe

STAGES = (24, 48, 120, 352)
POSITIONS = 196


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--products", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="measure torch.compile, too")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    recipe = load_recipe("study")
    low = torch.bfloat16 if precision(recipe) == "bfloat16" else torch.float32
    shape = FeatureShape(stage_channels=STAGES, grids=((14, 14),), image_size=(224, 224))
    switches = recipe.switches | {"dropout": 0.0}
    ours = create_model("mint-ad", switches, shape, options.products).train()
    theirs = create_model("uniad", {}, shape, options.products).train()
    backbone = create_backbone(BackboneConfig(name="efficientnet_lite2", stages=(1, 2, 3, 4)))
    tokens = torch.randn(options.batch, POSITIONS, sum(STAGES)).half()
    images = torch.randn(options.batch, 3, 224, 224)
    products = torch.arange(options.batch) % options.products

    def cached() -> Features:
        return Features(tokens=tokens.float())

    def from_images() -> Features:
        with torch.no_grad():
            return backbone(images)

    our_step = stepper(ours, cached, products, low)
    their_step = fused(stepper(theirs, from_images, products, torch.float32))
    left, right = (torch.randn(4096, 4096, dtype=low) for _ in range(2))
    steps: dict[str, Callable[[], object]] = {
        "mintad": our_step,
        "published": their_step,
        "matrix": lambda: left @ right,
    }
    if options.compile:
        compiled = copy.deepcopy(ours)
        compiled.loss = torch.compile(compiled.loss)  # type: ignore[method-assign]
        steps["compiled"] = stepper(compiled, cached, products, low)
    seconds = {name: [] for name in steps}
    for number in range(options.rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    with FlopCounterMode(display=False) as counter:
        our_step()
    rate = 2 * 4096**3 / median["matrix"] / 1e9
    reached = counter.get_total_flops() / median["mintad"] / 1e9
    batch = options.batch
    print(f"| {options.threads} threads, batch {batch} | images/s | ratio |\n|---|---|---|")
    print(f"| published order of work, float32 | {batch / median['published']:.1f} | 1 |")
    ratio = median["published"] / median["mintad"]
    print(f"| mintad, cached features, {low} | {batch / median['mintad']:.1f} | {ratio:.1f} |")
    if options.compile:
        ratio = median["published"] / median["compiled"]
        print(f"| the same, torch.compile | {batch / median['compiled']:.1f} | {ratio:.1f} |")
    print(
        f"\n{counter.get_total_flops() / batch / 1e9:.2f} GFLOP per image and step; "
        f"{reached:.0f} GFLOP/s in the step, {rate:.0f} GFLOP/s in a 4096 matrix product: "
        f"{reached / rate:.2f} of it."
    )
    if options.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            our_step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


def stepper(
    model: AnomalyModel, features: Callable[[], Features], products: Tensor, low: torch.dtype
) -> Callable[[], object]:
    """One whole step: features, loss, gradients, clipping, AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=low == torch.bfloat16)
    seeds = torch.from_numpy(np.arange(len(products)))

    def step() -> None:
        with torch.autocast("cpu", low, enabled=low != torch.float32):
            loss = model.loss(features(), products, seeds)["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def fused(step: Callable[[], object]) -> Callable[[], object]:
    """The step with torch's fused attention, as a plain transformer would have it."""

    def with_fused() -> None:
        plain = attention.plain_attention
        attention.plain_attention = lambda q, k, v, blocked, dropout: (
            F.scaled_dot_product_attention(
                q, k, v, attn_mask=None if blocked is None else ~blocked, dropout_p=dropout
            )
        )
        try:
            step()
        finally:
            attention.plain_attention = plain

    return with_fused


if __name__ == "__main__":
    main()
