"""The checks of `validate`: each takes what was seen of the samples and yields problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mintad.data.decoding import (
    EmptyImageError,
    MissingImageError,
    OversizedImageError,
    TruncatedImageError,
)
from mintad.data.examination import Examined, ImageFacts, MaskFacts
from mintad.data.layouts.naming import sounds_good
from mintad.data.problem import Kind, Problem
from mintad.data.sample import Dataset
from mintad.errors import ImageError

_ERROR_KINDS: dict[type[ImageError], Kind] = {
    MissingImageError: "missing",
    EmptyImageError: "empty",
    TruncatedImageError: "truncated",
    OversizedImageError: "too large",
}
_SHOWN_NAMES = 4


def unreadable_files(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Images and masks that are missing, empty, truncated, too large or otherwise undecodable."""
    for one in examined:
        for name, found in ((one.sample.name, one.image), (str(one.sample.mask), one.mask)):
            if isinstance(found, ImageError):
                kind = _ERROR_KINDS.get(type(found), "unreadable")
                yield Problem("error", kind, name, found.problem, found.mend)


def duplicates(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Images with the same pixels: one problem per group, of its worst kind."""
    groups: defaultdict[str, list[Examined]] = defaultdict(list)
    for one in examined:
        if isinstance(one.image, ImageFacts):
            groups[one.image.digest].append(one)
    for group in groups.values():
        if len(group) > 1:
            yield _duplicate([one.sample.name for one in group], group)


def _duplicate(names: list[str], group: Sequence[Examined]) -> Problem:
    samples = [one.sample for one in group]
    products = sorted({sample.product for sample in samples})
    labels = {sample.label for sample in samples} - {None}
    text = f"The same image is stored as {listed(names)}"
    if len(products) > 1:
        return Problem(
            "error",
            "duplicate in two products",
            names[0],
            f"{text}, in the products {listed(products)}.",
            "Keep it in the product it shows.",
        )
    if len(labels) > 1:
        return Problem(
            "error",
            "duplicate with two labels",
            names[0],
            f"{text}, once as good and once as defective.",
            "Keep the one with the right label.",
        )
    if len({sample.split for sample in samples}) > 1:
        return Problem(
            "error",
            "duplicate in train and test",
            names[0],
            f"{text}, in training and in test, which makes the test too easy.",
            "Keep it in one of the two.",
        )
    return Problem("warning", "duplicate", names[0], f"{text}.", "Keep one of them.")


def mask_problems(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Masks that do not fit their image or its label, and defects that lack one."""
    examined = list(examined)
    masked = {one.sample.product for one in examined if one.sample.mask is not None}
    for one in examined:
        sample, image, mask = one.sample, one.image, one.mask
        if mask is None and sample.label == 1 and sample.product in masked:
            yield Problem(
                "warning",
                "defect without mask",
                sample.name,
                f"The defective image {sample.name} has no mask, though others of "
                f"{sample.product} have.",
                "Add its mask; without one the image is left out of the pixel metrics.",
            )
        if not isinstance(mask, MaskFacts):
            continue
        if isinstance(image, ImageFacts) and image.size != mask.size:
            yield Problem(
                "error",
                "mask of another size",
                str(sample.mask),
                f"The mask {sample.mask} has {in_pixels(mask.size)}, its image {sample.name} has "
                f"{in_pixels(image.size)}.",
                "Make the mask from this image, in the same size.",
            )
        if mask.share == 0 and sample.label == 1:
            yield Problem(
                "error",
                "empty mask",
                str(sample.mask),
                f"The mask {sample.mask} of a defective image marks no pixel.",
                "Mark the defect in white, or take the mask away.",
            )
        if mask.share > 0 and sample.label == 0:
            yield Problem(
                "error",
                "mask on good image",
                str(sample.mask),
                f"The image {sample.name} is called good, but its mask {sample.mask} marks a "
                "defect.",
                "Correct the label, or take the mask away.",
            )


def shared_masks(dataset: Dataset) -> Iterator[Problem]:
    """Masks that several images have."""
    owners: defaultdict[Path, list[str]] = defaultdict(list)
    for sample in dataset:
        if sample.mask is not None:
            owners[sample.mask].append(sample.name)
    for mask, names in owners.items():
        if len(names) > 1:
            yield Problem(
                "warning",
                "mask of several images",
                str(mask),
                f"The mask {mask} is that of {listed(names)}.",
                "Give each image a mask of its own, with the image's name.",
            )


def left_out(dataset: Dataset) -> Iterator[Problem]:
    """Images, masks and folders under the data's roots that were not read."""
    for left in dataset.left_out:
        yield Problem("warning", left.kind, str(left.path), left.message, left.mend)


def label_contradictions(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Samples whose split, label and defect type exclude one another."""
    for one in examined:
        sample = one.sample
        problem = ""
        if sample.split == "train" and sample.label == 1:
            problem = "is for training but defective"
        elif sample.label == 0 and not _is_good_type(sample.defect_type):
            problem = f"is called good but has the defect type {sample.defect_type}"
        elif sample.label == 1 and sample.defect_type == "good":
            problem = "is called defective but has the defect type good"
        if problem:
            yield Problem(
                "error",
                "label contradiction",
                sample.name,
                f"The image {sample.name} {problem}.",
                "Correct its split, label or defect type.",
            )


def _is_good_type(defect_type: str | None) -> bool:
    return defect_type in (None, "good") or sounds_good(defect_type)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = list(names[:_SHOWN_NAMES])
    if len(names) > _SHOWN_NAMES:
        shown.append(f"{len(names) - _SHOWN_NAMES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def in_pixels(size: tuple[int, int]) -> str:
    """A size (height, width) in words."""
    return f"{size[1]} x {size[0]} pixels"
