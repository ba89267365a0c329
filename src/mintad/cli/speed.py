"""`mintad speed`: how fast each engine of a bundle is on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mintad.cli.options import BundlePath, Engines, PrintJson


def speed(
    bundle: BundlePath,
    engine: Engines = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long each number is measured.")
    ] = 5.0,
    json_output: PrintJson = False,
) -> None:
    """Measure latency, throughput and memory of every engine and precision of a bundle."""
    from dataclasses import asdict

    from mintad.bundle import load
    from mintad.engines.engine import engine_names
    from mintad.engines.speed import measure_apart

    opened = load(bundle)
    if not json_output:
        typer.echo(
            f"{'engine':<20} {'start s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} "
            f"{'images/s':>9} {'memory MB':>10}"
        )
    found = []
    for name in engine or engine_names(opened):
        one = measure_apart(opened, name, seconds)
        found.append(asdict(one))
        if not json_output:
            memory = "" if one.memory_mb is None else f"{one.memory_mb:.0f}"
            typer.echo(
                f"{one.engine:<20} {one.load_seconds:>8.2f} {one.p50_ms:>8.1f} "
                f"{one.p95_ms:>8.1f} {one.p99_ms:>8.1f} {one.images_per_second:>9.1f} {memory:>10}"
            )
    if json_output:
        typer.echo(json.dumps(found, indent=2))
