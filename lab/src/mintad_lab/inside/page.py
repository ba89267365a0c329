"""Looks inside a bundle and writes pictures, numbers and one page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mintad.bundle import Manifest, load
from mintad.data import Dataset
from mintad.system import Progress, write_json, write_text
from mintad_lab import markdown
from mintad_lab.inside.gather import gather
from mintad_lab.inside.numbers import accuracy, confusion, product_numbers, product_silhouette
from mintad_lab.inside.pictures import (
    confusion_figure,
    feature_figure,
    query_figure,
    token_figure,
)

HEADINGS = {
    "inside-features.svg": "Features before and after reconstruction",
    "inside-queries.svg": "Self-attention of the queries",
    "inside-tokens.svg": "Tokens and subclasses",
    "inside-products.svg": "Recognised against true product",
}
COLUMNS = {
    "rebuilt, good": "explained_good",
    "rebuilt, defects": "explained_defect",
    "attention to itself": "own_attention",
    "positions attended": "attended",
    "cosine, neighbours": "near_cosine",
    "cosine, others": "far_cosine",
    "clusters": "subclasses.count",
    "silhouette": "subclasses.silhouette",
    "without clusters": "subclasses.reference",
    "posture R², linear": "posture.linear",
    "neighbours": "posture.neighbours",
    "from features": "posture.linear_from_features",
}
"""The columns of the page's table, and where in `inside.json` their numbers stand."""

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
    numbers = {
        product.name: product_numbers(product, gathered.grid) for product in gathered.products
    }
    counts = confusion(gathered)
    figures = {
        "inside-features.svg": feature_figure(gathered, numbers),
        "inside-queries.svg": query_figure(gathered, numbers),
        "inside-tokens.svg": token_figure(gathered, numbers),
        "inside-products.svg": None if counts is None else confusion_figure(gathered, counts),
    }
    drawn = {name: svg for name, svg in figures.items() if svg is not None}
    content = {
        **_about(opened.manifest),
        "images_per_group": images,
        "pictures": list(drawn),
        **asdict(gathered.anatomy),
        "measured_on": gathered.measured_on,
        "product_silhouette": product_silhouette(gathered),
        "products": {name: product.to_json() for name, product in numbers.items()},
        "confusion": None
        if counts is None
        else {
            "products": list(gathered.names),
            "counts": counts.tolist(),
            "accuracy": accuracy(counts),
        },
    }
    write_json(out / "inside.json", content)
    for name, svg in drawn.items():
        write_text(out / name, svg)
    write_text(out / "inside.md", _page(content))
    echo("\n".join(_summary(content)))
    echo(f"page: {out / 'inside.md'}")
    echo(f"numbers: {out / 'inside.json'}")
    echo(f"pictures: {', '.join(str(out / name) for name in drawn)}")
    return content


def _about(manifest: Manifest) -> dict[str, Any]:
    return {
        "mintad": manifest.mintad,
        "bundle_created": manifest.created,
        "recipe": manifest.recipe.get("name"),
        "seed": manifest.recipe.get("seed"),
        "backbone": manifest.backbone.config.name,
        "switches": manifest.model.switches,
    }


def _summary(content: dict[str, Any]) -> list[str]:
    lines = [f"{content['method']}: rebuilds with {content['rebuilding']}"]
    if content["queries"] is not None:
        lines.append(f"queries: from the {content['queries']}")
    if content["tokens"] is not None:
        lines.append(f"tokens: {content['tokens']}")
    if content["confusion"] is not None:
        right = content["confusion"]["accuracy"]
        lines.append(f"products recognised by {content['recogniser']}: {right:.1%}")
    return [*lines, *content["missing"]]


def _page(content: dict[str, Any]) -> str:
    lines = _summary(content)
    lines.append(f"Features and recognised products are those of {content['measured_on']} images.")
    if content["product_silhouette"] is not None:
        apart = f"{content['product_silhouette']:.3f}"
        lines.append(f"Silhouette of the tokens with products as clusters: {apart}.")
    rows = [
        [name, *(_cell(numbers, place) for place in COLUMNS.values())]
        for name, numbers in content["products"].items()
    ]
    sections = [
        f"# Inside {content['method']}\n\n" + "".join(f"- {line}\n" for line in lines),
        f"## Numbers\n\n{markdown.table(['product', *COLUMNS], rows)}\n{MEANINGS}",
    ]
    for name in content["pictures"]:
        sections.append(f"## {HEADINGS[name]}\n\n![{HEADINGS[name]}]({name})\n")
    return "\n".join(sections)


def _cell(numbers: dict[str, Any], place: str) -> str:
    """The number at a place; what is measured in a group that is None has none."""
    group, _, key = place.rpartition(".")
    value = (numbers[group] or {}).get(key) if group else numbers[key]
    return str(value) if isinstance(value, int) else markdown.number(value)
