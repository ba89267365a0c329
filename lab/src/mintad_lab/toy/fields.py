"""The pictures of the toy experiment: points, error field, and the border of what is rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import numpy as np

from mintad.inspection.heatmap import colourise
from mintad.report.canvas import Bar, Key, Panel, dots, figure, level_line, pixels, strokes
from mintad_lab.toy.experiment import (
    AWARE,
    DENOISING,
    PLAIN,
    SIZES,
    SWEPT,
    TOKEN,
    Outcome,
    deviation,
    summary,
)
from mintad_lab.toy.limit import BEST, BEST_AWARE
from mintad_lab.toy.measures import Ground
from mintad_lab.toy.shapes import WINDOW
from mintad_lab.toy.training import Network, Trained

HIGHEST = 0.5
"""Errors from here on take the lightest colour."""

_BORDER, _BETWEEN = "#ffffff", "#00e5c3"
_POINTS = ("#7cc4ff", "#ff9d5c", "#9be870")
_SHOWN = 100
"""Points drawn of each class."""

TITLES = {
    PLAIN: "Autoencoder",
    DENOISING: f"Denoising, {DENOISING.depth} × {DENOISING.width}",
    TOKEN: "Class token",
    AWARE: "Class-aware",
    BEST: "Best denoising",
    BEST_AWARE: "Best class-aware",
}


def draw_figures(outcome: Outcome) -> Mapping[str, str]:
    """File names and SVG: those figures whose shapes and networks are part of the outcome."""
    classed = [scene for scene in outcome.trained if outcome.grounds[scene].between.any()]
    wanted: dict[str, tuple[str, list[tuple[str, tuple[Network, ...]]]]] = {
        "toy-shortcut.svg": (
            "The identical shortcut: an autoencoder copies, a denoising one does not",
            [(scene, (PLAIN, DENOISING, BEST)) for scene in ("ring", "two rings")],
        ),
        "toy-classes.svg": (
            "Interference between classes, and what knowing the class changes",
            [(scene, (DENOISING, TOKEN, AWARE)) for scene in classed],
        ),
        "toy-capacity.svg": (
            "Denoising autoencoders of growing size, and the best that any could do",
            [(SWEPT, (*SIZES, BEST))],
        ),
    }
    figures = {}
    for name, (title, rows) in wanted.items():
        panels = [
            [
                _panel(outcome, scene, network)
                for network in networks
                if _has(outcome, scene, network)
            ]
            for scene, networks in rows
            if scene in outcome.trained
        ]
        panels = [row for row in panels if row]
        if panels:
            figures[name] = figure(
                panels,
                title=title,
                description="Each panel: the reconstruction error over the plane, normal points "
                "by class, and the border of what is rebuilt; of the first seed.",
                keys=_keys(outcome, [scene for scene, _ in rows if scene in outcome.trained]),
                bar=Bar("reconstruction error (distance in the plane)", "0", f"{HIGHEST:g}+"),
                identifier=name.removesuffix(".svg"),
            )
    return figures


def _has(outcome: Outcome, scene: str, network: Network) -> bool:
    return any(found.network == network for found in outcome.trained[scene])


def _keys(outcome: Outcome, scenes: list[str]) -> list[Key]:
    classes = max(int(outcome.grounds[scene].owner.max()) + 1 for scene in scenes)
    keys = [
        Key(colour, f"normal points of class {number + 1}")
        for number, colour in enumerate(_POINTS[:classes])
    ]
    keys.append(
        Key(_BORDER, "border of what is rebuilt: 95 % of held-out normal points lie inside")
    )
    if classes > 1:
        keys.append(Key(_BETWEEN, "border of the between-class area"))
    return keys


def _panel(outcome: Outcome, scene: str, network: Network) -> Panel:
    found, ground = outcome.of(scene, network), outcome.grounds[scene]
    title = TITLES.get(network) or f"Denoising, {network.depth} × {network.width}"
    return Panel(f"{title}: {scene}", _note(found), _body(found, ground))


def _note(found: Trained) -> str:
    """The numbers under a title: the mean over the seeds, and the deviation."""
    mean, spread = summary(found.measures, fmean), summary(found.measures, deviation)
    name = "copied" if mean["interference"] is None else "interference"
    return f"{name} {mean[name]:.2f} ± {spread[name]:.2f}, threshold {mean['threshold']:.3f}"


def _body(found: Trained, ground: Ground) -> str:
    field = found.fields[0]
    side = len(field) // 2
    coarse = field[: 2 * side, : 2 * side].reshape(side, 2, side, 2).mean(axis=(1, 3))
    body = [pixels(colourise(coarse, 0.0, HIGHEST))]
    for number in range(int(found.classes.max()) + 1):
        points = found.points[found.classes == number][:_SHOWN]
        body.append(dots((points + WINDOW) / (2 * WINDOW), _POINTS[number], 0.006, 0.9))
    if ground.between.any():
        body.append(strokes(level_line(ground.between.astype(np.float64), 0.5), _BETWEEN, 0.006))
    body.append(strokes(level_line(field, found.measures[0].threshold), _BORDER, 0.009))
    return "".join(body)
