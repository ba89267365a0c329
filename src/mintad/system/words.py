"""Counts and names as a terminal shows them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 image`, `1,261 images`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shortened(text: str, most: int = 60) -> str:
    """The text, or its end where it is longer than `most` letters: of a path that tells more."""
    return text if len(text) <= most else f"…{text[1 - most :]}"


def printable(text: str) -> str:
    """The text with control characters escaped: a file's name cannot steer a terminal.

    Line breaks and tabs stay.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )
