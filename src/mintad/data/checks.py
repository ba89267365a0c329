"""The checks of `validate`: each takes what was seen of the samples and yields problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mintad.data.decoding import (
    EmptyImageError,
    MissingImageError,
    OversizedImageError,
    TruncatedImageError,
)
from mintad.data.examination import Examined, ImageFacts, MaskFacts
from mintad.data.layouts.folders import list_folders, list_images
from mintad.data.problem import Kind, Problem
from mintad.data.sample import Dataset
from mintad.errors import ImageError

FEW_GOOD_IMAGES = 8
"""Fewer good training images than this are reported."""

_ERROR_KINDS: dict[type[ImageError], Kind] = {
    MissingImageError: "missing",
    EmptyImageError: "empty",
    TruncatedImageError: "truncated",
    OversizedImageError: "too large",
}
_SHOWN_NAMES = 4
_SIZE_FACTOR = 1.5
_SIZE_DEVIATIONS = 5.0
_DEVIATION_PER_MEDIAN_DISTANCE = 1.4826  # of a normal distribution


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
    text = f"The same image is stored as {_listed(names)}"
    if len(products) > 1:
        return Problem(
            "error",
            "duplicate in two products",
            names[0],
            f"{text}, in the products {_listed(products)}.",
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
                f"The mask {sample.mask} has {_pixels(mask.size)}, its image {sample.name} has "
                f"{_pixels(image.size)}.",
                "Make the mask from this image, in the same size.",
            )
        if mask.is_empty and sample.label == 1:
            yield Problem(
                "error",
                "empty mask",
                str(sample.mask),
                f"The mask {sample.mask} of a defective image marks no pixel.",
                "Mark the defect in white, or take the mask away.",
            )
        if not mask.is_empty and sample.label == 0:
            yield Problem(
                "error",
                "mask on good image",
                str(sample.mask),
                f"The image {sample.name} is called good, but its mask {sample.mask} marks a "
                "defect.",
                "Correct the label, or take the mask away.",
            )


def masks_without_image(dataset: Dataset) -> Iterator[Problem]:
    """Masks in a `ground_truth` folder, or beside masks in use, that belong to no sample."""
    used = {sample.mask for sample in dataset} | {sample.image for sample in dataset}
    folders: set[Path] = set()
    for root in filter(Path.is_dir, dataset.roots):
        for parent in (root, *list_folders(root)):
            truth = parent / "ground_truth"
            folders |= {truth, *list_folders(truth)}
        folders |= {
            sample.mask.parent
            for sample in dataset
            if sample.mask is not None and sample.mask.is_relative_to(root)
        }
    for folder in sorted(folders):
        for path in list_images(folder):
            if path not in used:
                yield Problem(
                    "warning",
                    "mask without image",
                    str(path),
                    f"The mask {path} belongs to no image.",
                    "Restore its image, give both the same name, or take the mask away.",
                )


def label_contradictions(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Samples whose split, label and defect type exclude one another."""
    for one in examined:
        sample = one.sample
        problem = ""
        if sample.split == "train" and sample.label == 1:
            problem = "is for training but defective"
        elif sample.label == 0 and sample.defect_type not in (None, "good"):
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


def too_few_good_images(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Products with less than `FEW_GOOD_IMAGES` readable good training images.

    None or one is an error; none in the whole data set is a set for evaluation, and a warning.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    for one in examined:
        sample = one.sample
        is_good = sample.split == "train" and sample.label == 0
        counts[sample.product] += is_good and isinstance(one.image, ImageFacts)
    can_train = any(counts.values())
    for product, count in counts.items():
        if count == 0:
            yield Problem(
                "error" if can_train else "warning",
                "no good images",
                product,
                f"The product {product} has no good training images.",
                "Add some, at least 20 if you can, or use these data for evaluation alone.",
            )
        elif count < FEW_GOOD_IMAGES:
            images = "1 good training image" if count == 1 else f"{count} good training images"
            yield Problem(
                "error" if count == 1 else "warning",
                "few good images",
                product,
                f"The product {product} has only {images}.",
                "Add more, at least 20 if you can.",
            )


def unusual_sizes(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Images whose height or width is far from their product's median.

    Far is a factor of more than 1.5, and more than 5 standard deviations (estimated from the
    median distance) of the logarithm: where sizes vary much, much is allowed.
    """
    for product, group in _readable_by_product(examined).items():
        sizes = np.array([facts.size for _, facts in group])  # (N, 2)
        medians = np.median(sizes, axis=0)
        distances = np.abs(np.log(sizes / medians))
        spread = _DEVIATION_PER_MEDIAN_DISTANCE * np.median(distances, axis=0)
        limits = np.maximum(np.log(_SIZE_FACTOR), _SIZE_DEVIATIONS * spread)
        for index in np.flatnonzero((distances > limits).any(axis=1)):
            name, facts = group[index]
            usual = (int(medians[0]), int(medians[1]))
            yield Problem(
                "warning",
                "unusual size",
                name,
                f"The image {name} has {_pixels(facts.size)}; those of {product} usually have "
                f"about {_pixels(usual)}.",
                "Check that it shows the same product from the same place.",
            )


def mixed_colour(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Products that have both grey and colour images."""
    for product, group in _readable_by_product(examined).items():
        grey = [name for name, facts in group if facts.is_grey]
        colour = [name for name, facts in group if not facts.is_grey]
        if grey and colour:
            rarer = min(grey, colour, key=len)
            yield Problem(
                "warning",
                "mixed grey and colour",
                product,
                f"The product {product} has {len(grey)} grey and {len(colour)} colour images; "
                f"{'grey' if rarer is grey else 'colour'} are {_listed(rarer)}.",
                "Take all images with the same camera settings, or make them all grey.",
            )


def _readable_by_product(
    examined: Iterable[Examined],
) -> dict[str, list[tuple[str, ImageFacts]]]:
    groups: defaultdict[str, list[tuple[str, ImageFacts]]] = defaultdict(list)
    for one in examined:
        if isinstance(one.image, ImageFacts):
            groups[one.sample.product].append((one.sample.name, one.image))
    return groups


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN_NAMES])
    if len(names) > _SHOWN_NAMES:
        shown.append(f"{len(names) - _SHOWN_NAMES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]} pixels"
