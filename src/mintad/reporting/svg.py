"""Parts of SVG drawings as strings; their colours are CSS variables with a default."""

from __future__ import annotations

import math
import re
from xml.sax.saxutils import escape

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
INK = "var(--ink, #18222b)"
MUTED = "var(--muted, #5c6975)"
LINE = "var(--line, #dfe4e8)"
GOOD = "var(--good, #2c6fb3)"
DEFECT = "var(--defect, #c4501b)"


def _text(content: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", content))


def drawing(
    width: int, height: int, identifier: str, title: str, description: str, body: list[str]
) -> str:
    """The parts `body` as one SVG with a title and a description for those who cannot see it."""
    name = _NOT_XML.sub("", identifier)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-description" class="plot" '
        'font-family="inherit" font-size="12">'
        f'<title id="{name}-title">{_text(title)}</title>'
        f'<desc id="{name}-description">{_text(description)}</desc>' + "".join(body) + "</svg>"
    )


def label(
    x: float, y: float, content: str, anchor: str = "middle", colour: str = MUTED, more: str = ""
) -> str:
    """A line of text at a point; `anchor` is "start", "middle" or "end"."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{more}>'
        f"{_text(content)}</text>"
    )


def segment(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    """A straight line between two points."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{more}/>'
    )


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers inside `[low, high]`, in steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
