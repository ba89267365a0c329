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
    from mintad.engines import measure_engines

    speeds = measure_engines(load(bundle), engine or (), seconds=seconds)
    if json_output:
        typer.echo(json.dumps([asdict(row) for row in speeds], indent=2))
        return
    typer.echo(
        f"{'engine':<20} {'start s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} "
        f"{'images/s':>9} {'memory MB':>10}"
    )
    for row in speeds:
        memory = "" if row.memory_mb is None else f"{row.memory_mb:.0f}"
        typer.echo(
            f"{row.engine:<20} {row.load_seconds:>8.2f} {row.p50_ms:>8.1f} "
            f"{row.p95_ms:>8.1f} {row.p99_ms:>8.1f} {row.images_per_second:>9.1f} {memory:>10}"
        )
