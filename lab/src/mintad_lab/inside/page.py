"""Looks inside a bundle and writes pictures, numbers and one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mintad.bundle import load
from mintad.data import Dataset
from mintad.system import Progress, write_json, write_text
from mintad_lab.inside.gather import Gathered, gather
from mintad_lab.inside.numbers import ProductNumbers, confusion, product_numbers, to_json
from mintad_lab.inside.pictures import (
    confusion_figure,
    feature_figure,
    query_figure,
    token_figure,
)

DASH = "–"


def run_inside(
    bundle: Path,
    dataset: Dataset,
    out: Path,
    *,
    images: int = 100,
    cache: Path | None = None,
    progress: Progress | None = None,
    echo: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes `inside.json`, `inside.md` and the figures `inside-*.svg` into `out`.

    What a method does not have is left out, and the page says so. Raises `ConfigError` for a
    method with nothing to look at, `DataError` for data that do not fit the bundle.
    """
    opened = load(bundle)
    gathered = gather(opened, dataset, images, cache, progress)
    numbers = {inside.name: product_numbers(inside, gathered.grid) for inside in gathered.inside}
    counts = confusion(gathered)
    figures = {
        "inside-features.svg": feature_figure(gathered, numbers),
        "inside-queries.svg": query_figure(gathered, numbers),
        "inside-tokens.svg": token_figure(gathered, numbers),
        "inside-products.svg": None if counts is None else confusion_figure(gathered, counts),
    }
    drawn = {name: svg for name, svg in figures.items() if svg is not None}
    manifest = opened.manifest
    about = {
        "mintad": manifest.mintad,
        "bundle_created": manifest.created,
        "recipe": manifest.recipe.get("name"),
        "seed": manifest.recipe.get("seed"),
        "backbone": manifest.backbone.name,
        "switches": manifest.model.switches,
        "images_per_group": images,
        "pictures": list(drawn),
    }
    content = to_json(gathered, numbers, counts, about)
    write_json(out / "inside.json", content)
    for name, svg in drawn.items():
        write_text(out / name, svg)
    write_text(out / "inside.md", _page(gathered, numbers, content, list(drawn)))
    echo(_summary(gathered, content))
    echo(f"page: {out / 'inside.md'}")
    echo(f"numbers: {out / 'inside.json'}")
    echo(f"pictures: {', '.join(str(out / name) for name in drawn)}")
    return content


def _summary(gathered: Gathered, content: dict[str, Any]) -> str:
    parts = gathered.anatomy
    lines = [f"{parts.method}: rebuilds with {parts.rebuilding}"]
    if parts.queries is not None:
        lines.append(f"queries: from the {parts.queries}")
    if parts.tokens is not None:
        lines.append(f"tokens: {parts.tokens}")
    if content["confusion"] is not None:
        accuracy = content["confusion"]["accuracy"]
        lines.append(f"products recognised by {parts.recogniser}: {accuracy:.1%}")
    return "\n".join([*lines, *parts.missing])


HEADINGS = {
    "inside-features.svg": "Features before and after reconstruction",
    "inside-queries.svg": "Self-attention of the queries",
    "inside-tokens.svg": "Tokens and subclasses",
    "inside-products.svg": "Recognised against true product",
}


def _page(
    gathered: Gathered,
    numbers: dict[str, ProductNumbers],
    content: dict[str, Any],
    drawn: list[str],
) -> str:
    sections = [f"# Inside {gathered.anatomy.method}\n\n{_bullets(gathered, content)}"]
    sections.append(f"## Numbers\n\n{_table(gathered, numbers)}\n{MEANINGS}")
    for name in drawn:
        sections.append(f"## {HEADINGS[name]}\n\n![{HEADINGS[name]}]({name})\n")
    return "\n".join(sections)


def _bullets(gathered: Gathered, content: dict[str, Any]) -> str:
    silhouette = content["product_silhouette"]
    extra = [f"Features and recognised products are those of {gathered.measured_on} images."]
    if silhouette is not None:
        extra.append(f"Silhouette of the tokens with products as clusters: {silhouette:.3f}.")
    lines = [*_summary(gathered, content).splitlines(), *extra]
    return "".join(f"- {line}\n" for line in lines)


_HEADER = (
    "product",
    "rebuilt, good",
    "rebuilt, defects",
    "attention to itself",
    "positions attended",
    "cosine, neighbours",
    "cosine, others",
    "clusters",
    "silhouette",
    "without clusters",
    "posture R², linear",
    "neighbours",
    "from features",
)

MEANINGS = """\
- rebuilt: share of the features' variance about the product's mean that is rebuilt; 1 is exact,
  below 0 is worse than the mean.
- attention: of the queries, softmax(QQᵀ/√D); positions attended is the exponential of its entropy.
- clusters: the number with the highest silhouette; without clusters is what as many clusters get
  in normally distributed vectors of the same covariance.
- posture: cross-validated R² of (cos 2a, sin 2a), a the angle of the product's principal axis, read
  from the tokens linearly and by nearest neighbours; from features is the linear reading of the
  features' mean. A dash where fewer than four fifths of the images have a long axis, or all lie
  alike.
"""


def _table(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str:
    lines = [_HEADER, ("---", *["---:"] * (len(_HEADER) - 1))]
    for inside in gathered.inside:
        found = numbers[inside.name]
        groups, reading = found.subclasses, found.posture
        values: tuple[float | int | None, ...] = (
            found.explained_good,
            found.explained_defect,
            found.own_attention,
            found.attended,
            found.near_cosine,
            found.far_cosine,
            None if groups is None else groups.count,
            None if groups is None else groups.silhouette,
            None if groups is None else groups.reference,
            None if reading is None else reading.linear,
            None if reading is None else reading.neighbours,
            None if reading is None else reading.linear_from_features,
        )
        lines.append((inside.name, *map(_cell, values)))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: float | int | None) -> str:
    if value is None:
        return DASH
    return str(value) if isinstance(value, int) else f"{value:.3f}"
