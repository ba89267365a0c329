"""The pictures of the toy experiment: points, error field, and the border of what is rebuilt."""

from __future__ import annotations

import numpy as np

from mintad.inspection import colourise
from mintad_lab.drawing.canvas import Bar, Key, Panel, dots, figure, level_line, pixels, strokes
from mintad_lab.toy.experiment import AWARE, DENOISING, PLAIN, SIZES, SWEPT, TOKEN, Outcome
from mintad_lab.toy.limit import BEST, BEST_AWARE
from mintad_lab.toy.measures import Ground
from mintad_lab.toy.shapes import WINDOW
from mintad_lab.toy.training import Trained

HIGHEST = 0.5
"""Errors from here on take the lightest colour."""

_BORDER, _BETWEEN = "#ffffff", "#00e5c3"
_POINTS = ("#7cc4ff", "#ff9d5c", "#9be870")
_SHOWN = 100
"""Points drawn of each class."""

TITLES = {
    **{network: f"Denoising, {network.depth} × {network.width}" for network in SIZES},
    PLAIN: "Autoencoder",
    TOKEN: "Class token",
    AWARE: "Class-aware",
    BEST: "Best denoising",
    BEST_AWARE: "Best class-aware",
}


def draw_figures(outcome: Outcome) -> dict[str, str]:
    """File names and SVG: those figures whose shapes and networks are part of the outcome."""
    figures = {
        "toy-shortcut": (
            "The identical shortcut: an autoencoder copies, a denoising one does not",
            ["ring", "two rings"],
            (PLAIN, DENOISING, BEST),
        ),
        "toy-classes": (
            "Interference between classes, and what knowing the class changes",
            [scene for scene, ground in outcome.grounds.items() if ground.between.any()],
            (DENOISING, TOKEN, AWARE),
        ),
        "toy-capacity": (
            "Denoising autoencoders of growing size, and the best that any could do",
            [SWEPT],
            (*SIZES, BEST),
        ),
    }
    drawn = {}
    for name, (title, scenes, networks) in figures.items():
        held = {scene: outcome.trained[scene] for scene in scenes if scene in outcome.trained}
        panels = [
            [
                _panel(f"{TITLES[network]}: {scene}", trained[network], outcome.grounds[scene])
                for network in networks
                if network in trained
            ]
            for scene, trained in held.items()
        ]
        if any(panels):
            drawn[f"{name}.svg"] = figure(
                [row for row in panels if row],
                title=title,
                description="Each panel: the reconstruction error over the plane, normal points "
                "by class, and the border of what is rebuilt; of the first seed.",
                keys=_keys([outcome.grounds[scene] for scene in held]),
                bar=Bar("reconstruction error (distance in the plane)", "0", f"{HIGHEST:g}+"),
                identifier=name,
            )
    return drawn


def _keys(grounds: list[Ground]) -> list[Key]:
    classes = max(int(ground.owner.max()) + 1 for ground in grounds)
    return [
        *(
            Key(colour, f"normal points of class {number}")
            for number, colour in enumerate(_POINTS[:classes], start=1)
        ),
        Key(_BORDER, "border of what is rebuilt: 95 % of held-out normal points lie inside"),
        *([Key(_BETWEEN, "border of the between-class area")] if classes > 1 else []),
    ]


def _panel(title: str, trained: Trained, ground: Ground) -> Panel:
    """The first seed's field; under the title mean and deviation over the seeds."""
    mean, deviation = trained.mean(), trained.deviation()
    index = "copied" if mean["interference"] is None else "interference"
    note = f"{index} {mean[index]:.2f} ± {deviation[index]:.2f}, threshold {mean['threshold']:.3f}"
    field, drawn = trained.fields[0], trained.drawn
    side = len(field) // 2
    coarse = field[: 2 * side, : 2 * side].reshape(side, 2, side, 2).mean(axis=(1, 3))
    body = [pixels(colourise(coarse, 0.0, HIGHEST))]
    for number in range(int(drawn.classes.max()) + 1):
        points = drawn.points[drawn.classes == number][:_SHOWN]
        body.append(dots((points + WINDOW) / (2 * WINDOW), _POINTS[number], 0.006, 0.9))
    if ground.between.any():
        body.append(strokes(level_line(ground.between.astype(np.float64), 0.5), _BETWEEN, 0.006))
    body.append(strokes(level_line(field, trained.measures[0].threshold), _BORDER, 0.009))
    return Panel(title, note, "".join(body))
