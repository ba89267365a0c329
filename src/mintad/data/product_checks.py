"""The checks of `validate` that take a product's images together."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mintad.data.checks import in_pixels, listed
from mintad.data.examination import Examined, ImageFacts, MaskFacts
from mintad.data.layouts.naming import sounds_bad, sounds_like_masks
from mintad.data.problem import Problem
from mintad.data.sample import Dataset
from mintad.system.words import counted

FEW_GOOD_IMAGES = 8
"""Fewer good training images than this are reported."""

_SIZE_FACTOR = 1.5
_SIZE_DEVIATIONS = 5.0
_DEVIATION_PER_MEDIAN_DISTANCE = 1.4826  # of a normal distribution
_DEPTHS = (10, 12, 14)


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
            yield Problem(
                "error" if count == 1 else "warning",
                "few good images",
                product,
                f"The product {product} has only {counted(count, 'good training image')}.",
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
                f"The image {name} has {in_pixels(facts.size)}; those of {product} usually have "
                f"about {in_pixels(usual)}.",
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
                f"{'grey' if rarer is grey else 'colour'} are {listed(rarer)}.",
                "Take all images with the same camera settings, or make them all grey.",
            )


def unused_bits(examined: Iterable[Examined], bit_depth: int | None) -> Iterator[Problem]:
    """Products whose images of 16 bits are all dark, or brighter than the depth that was said.

    Their brightest value then is below that of 10, 12 or 14 bits.
    """
    for product, group in _readable_by_product(examined).items():
        deep = [(name, facts.brightest) for name, facts in group if facts.brightest is not None]
        if not deep:
            continue
        name, brightest = max(deep, key=lambda pair: pair[1])
        images = counted(len(deep), "16-bit image")
        depth = next((depth for depth in _DEPTHS if brightest < 1 << depth), 16)
        if bit_depth is None and depth < 16:
            yield Problem(
                "warning",
                "unused bits",
                product,
                f"The {images} of {product} never exceed {brightest}: they seem to hold {depth} "
                f"bits, and become dark.",
                f"Train with --set bit_depth={depth} if the camera gives {depth} bits.",
            )
        if bit_depth is not None and brightest >= 1 << bit_depth:
            yield Problem(
                "warning",
                "more bits than said",
                product,
                f"The image {name} reaches {brightest}, more than {bit_depth} bits hold; what "
                "exceeds them becomes white.",
                "Say a larger bit_depth, or none.",
            )


def several_pages(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Products with images of several pages or frames."""
    for product, group in _readable_by_product(examined).items():
        names = [name for name, facts in group if facts.pages > 1]
        if names:
            yield Problem(
                "warning",
                "several pages",
                product,
                f"Of {counted(len(names), 'image')} of {product} only the first of several pages "
                f"is read: {listed(names)}.",
                "Save each page that matters as a file of its own.",
            )


def ignored_alpha(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Products with images that are transparent everywhere, whose alpha is thus ignored."""
    for product, group in _readable_by_product(examined).items():
        names = [name for name, facts in group if facts.hidden]
        if names:
            yield Problem(
                "warning",
                "transparent everywhere",
                product,
                f"{counted(len(names), 'image')} of {product} with an alpha of 0 everywhere are "
                f"read as if they had none: {listed(names)}.",
                "Save them without alpha.",
            )


def inverted_masks(examined: Iterable[Examined]) -> Iterator[Problem]:
    """Products with masks that mark most of the picture and of its border."""
    groups: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    totals: defaultdict[str, int] = defaultdict(int)
    for one in examined:
        if isinstance(one.mask, MaskFacts):
            totals[one.sample.product] += 1
            if one.mask.share > 0.5 and one.mask.border_share > 0.5:
                groups[one.sample.product].append((str(one.sample.mask), one.mask.share))
    for product, group in groups.items():
        mean = sum(share for _, share in group) / len(group)
        yield Problem(
            "warning",
            "mask of most of the picture",
            product,
            f"{len(group)} of {counted(totals[product], 'mask')} of {product} mark most of the "
            f"picture and of its border, {mean:.0%} on average: "
            f"{listed([name for name, _ in group])}.",
            "Turn black and white round if they mark what is good.",
        )


def masks_among_images(dataset: Dataset) -> Iterator[Problem]:
    """Images that have the name of a mask of another image in their folder."""
    files = [(sample, sample.image) for sample in dataset if isinstance(sample.image, Path)]
    stems = {(image.parent, image.stem) for _, image in files}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for sample, image in files:
        base = image.stem.removesuffix("mask")
        if base != image.stem and (image.parent, base.rstrip("_-. ")) in stems:
            groups[sample.product].append(sample.name)
    for product, names in groups.items():
        yield Problem(
            "warning",
            "mask among images",
            product,
            f"{counted(len(names), 'image')} of {product} have the name of a mask of another image "
            f"beside them, and are taken for images: {listed(names)}.",
            "Move masks to PRODUCT/ground_truth/<defect>.",
        )


def odd_products(dataset: Dataset) -> Iterator[Problem]:
    """Products whose name sounds like defects or masks, or is nearly that of another product.

    The former only of those with training images alone.
    """
    tested = {sample.product for sample in dataset if sample.split == "test"}
    alike: dict[str, str] = {}
    for product in dataset.products:
        other = alike.setdefault(unicodedata.normalize("NFKC", product).casefold().strip(), product)
        if other != product:
            yield Problem(
                "warning",
                "odd product",
                product,
                f"The products {other} and {product} differ only in how they are spelled.",
                "Give both the same name if they are one product.",
            )
    for product in dataset.products:
        name = product.rpartition("/")[2]
        if product in tested or not (sounds_bad(name) or sounds_like_masks(name)):
            continue
        held = "defective images" if sounds_bad(name) else "masks"
        yield Problem(
            "warning",
            "odd product",
            product,
            f"The product {product} sounds like {held}, but its images are taken for good training "
            "images.",
            "Take it away, or lay the images out as PRODUCT/train/good and PRODUCT/test/<defect>, "
            "with masks in PRODUCT/ground_truth/<defect>.",
        )


def _readable_by_product(
    examined: Iterable[Examined],
) -> dict[str, list[tuple[str, ImageFacts]]]:
    groups: defaultdict[str, list[tuple[str, ImageFacts]]] = defaultdict(list)
    for one in examined:
        if isinstance(one.image, ImageFacts):
            groups[one.sample.product].append((one.sample.name, one.image))
    return groups
