"""The report: one HTML file that needs nothing beside itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from mintad.inspection.heatmap import ANCHORS, HEATMAP_RANGE, outline, overlay
from mintad.metrics import IMAGE_METRICS, METRICS, PIXEL_METRICS
from mintad.reporting.contents import Example, ExampleKind, ReportData
from mintad.reporting.plots import roc_plot, score_histogram
from mintad.reporting.table import EvaluationTable, TableRow, build_table
from mintad.system.files import write_text

SMALLEST_SIDE, LARGEST_SIDE = 320, 448
"""The longest side of a shown image, in pixels; others are resized to the nearer of the two."""

_HEADINGS: Mapping[ExampleKind, tuple[str, str]] = {
    "false alarm": ("False alarms", "good images with the highest scores"),
    "miss": ("Misses", "defective images with the lowest scores"),
}


@dataclass(frozen=True, slots=True)
class _Panel:
    caption: str
    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Card:
    name: str
    full_name: str
    defect_type: str | None
    score: str
    rank: str
    wrong: bool
    mistaken_for: str | None
    panels: tuple[_Panel, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    heading: str
    explanation: str
    cards: tuple[_Card, ...]
    masked: bool


@dataclass(frozen=True, slots=True)
class _Product:
    number: int
    name: str
    histogram: Markup | None
    roc: Markup | None
    groups: tuple[_Group, ...]


def build_report(data: ReportData) -> str:
    """The whole page as HTML; every name in it is escaped and every image is inside it."""
    table = build_table(data.metrics)
    environment = Environment(
        loader=PackageLoader("mintad.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        data=data,
        table=table,
        metrics=METRICS,
        groups={"Image": IMAGE_METRICS, "Pixel": PIXEL_METRICS},
        weakest=_weakest(table),
        products=[
            _product(data, number, name)
            for number, name in enumerate(data.metrics.products, start=1)
        ],
        scale=[f"{end:.4g}" for end in HEATMAP_RANGE],
        config={key: _plain(value) for key, value in data.config.items()},
        gradient=", ".join(f"rgb({red} {green} {blue})" for red, green, blue in ANCHORS),
    )


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write the page to `path`; the file appears whole or not at all."""
    write_text(Path(path), build_report(data))
    return Path(path)


def _weakest(table: EvaluationTable) -> TableRow | None:
    """The product with the lowest image AUROC, where at least two have one."""
    rows = [(row.cells["i_auroc"].value, row) for row in table.products]
    known = [(value, row) for value, row in rows if value is not None]
    return min(known, key=lambda pair: pair[0])[1] if len(known) > 1 else None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _product(data: ReportData, number: int, name: str) -> _Product:
    histogram = roc = None
    if name in data.metrics.scores:
        scores, labels = data.metrics.scores[name]
        histogram = Markup(score_histogram(name, scores, labels, identifier=f"histogram-{number}"))
        roc = Markup(roc_plot(name, scores, labels, identifier=f"roc-{number}"))
    groups = []
    for kind, (heading, explanation) in _HEADINGS.items():
        cards = tuple(
            _card(data, example)
            for example in data.examples
            if example.product == name and example.kind == kind
        )
        if cards:
            masked = any(len(card.panels) > 2 for card in cards)
            groups.append(_Group(heading, explanation, cards, masked))
    return _Product(number, name, histogram, roc, tuple(groups))


def _card(data: ReportData, example: Example) -> _Card:
    rank, wrong = _rank(data, example)
    mistaken = example.predicted_product not in (None, example.product)
    return _Card(
        name=PurePath(example.name).name or example.name,
        full_name=example.name,
        defect_type=example.defect_type if example.label else None,
        score=f"{example.score:.4g}",
        rank=rank,
        wrong=wrong,
        mistaken_for=example.predicted_product if mistaken else None,
        panels=_panels(example),
    )


def _rank(data: ReportData, example: Example) -> tuple[str, bool]:
    """How the score stands to images of the other label, and whether any is on the wrong side."""
    if example.product not in data.metrics.scores:
        return "", False
    scores, labels = data.metrics.scores[example.product]
    others = scores[labels == (0 if example.label else 1)]
    if not len(others):
        return "", False
    if example.label:
        count = int((others >= example.score).sum())
        wrong = f"{count:,} of {len(others):,} good images score as high or higher"
        right = "above every good image"
    else:
        count = int((others <= example.score).sum())
        wrong = f"{count:,} of {len(others):,} defective images score as low or lower"
        right = "below every defective image"
    return (wrong, True) if count else (right, False)


def _panels(example: Example) -> tuple[_Panel, ...]:
    height, width = example.image.shape[:2]
    wanted = min(max(max(height, width), SMALLEST_SIDE), LARGEST_SIDE)
    factor = wanted / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = np.asarray(Image.fromarray(example.image).resize(size, Image.Resampling.BICUBIC))
    heat = overlay(image, example.anomaly_map, *HEATMAP_RANGE, box=example.box)
    panels = [_panel("Image", image)]
    if example.mask is not None and example.mask.any():
        panels.append(_panel("Defect", outline(image, _fit_mask(example.mask, size))))
    return (*panels, _panel("Heatmap", heat))


def _fit_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask at another width and height; a region never vanishes by becoming smaller."""
    grey = Image.fromarray(mask.astype(np.float32))
    smaller = size[0] < mask.shape[1]
    method = Image.Resampling.BOX if smaller else Image.Resampling.NEAREST
    return np.asarray(grey.resize(size, method)) > (0.0 if smaller else 0.5)


def _panel(caption: str, image: NDArray[np.uint8]) -> _Panel:
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, format="WEBP", quality=86, method=4)
    source = "data:image/webp;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
    return _Panel(caption, source, image.shape[1], image.shape[0])
