"""Everything that is wrong with a data set, found in one pass and told all at once."""

from __future__ import annotations

from mintad.data import checks, product_checks
from mintad.data.decoding import MAX_PIXELS
from mintad.data.examination import Examined, examine
from mintad.data.problem import Problem
from mintad.data.sample import Dataset, Sample
from mintad.system.progress import Progress
from mintad.system.threads import core_count, map_ahead

__all__ = ["Problem", "validate"]


def validate(
    dataset: Dataset,
    *,
    max_pixels: int = MAX_PIXELS,
    bit_depth: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """All problems of the data set, errors first; an empty list for a clean one.

    `max_pixels` and `bit_depth` are as in `decode_image`.
    Every file is read once, by `workers` threads (one per core if None); of each, only a few
    numbers are kept. What `read` left out is told of a whole data set, not of a part.
    """
    workers = core_count() if workers is None else workers

    def look(sample: Sample) -> Examined:
        return examine(sample, max_pixels, bit_depth)

    examined: list[Examined] = []
    for one in map_ahead(look, dataset, workers=workers, ahead=8 * max(1, workers)):
        examined.append(one)
        if progress is not None:
            progress("images", len(examined), len(dataset))
    problems = [
        *checks.unreadable_files(examined),
        *checks.duplicates(examined),
        *checks.mask_problems(examined),
        *checks.shared_masks(dataset),
        *checks.left_out(dataset),
        *checks.label_contradictions(examined),
        *product_checks.too_few_good_images(examined),
        *product_checks.unusual_sizes(examined),
        *product_checks.mixed_colour(examined),
        *product_checks.unused_bits(examined, bit_depth),
        *product_checks.several_pages(examined),
        *product_checks.ignored_alpha(examined),
        *product_checks.inverted_masks(examined),
        *product_checks.odd_products(dataset),
        *product_checks.masks_among_images(dataset),
    ]
    return sorted(problems, key=lambda problem: (problem.severity, problem.kind, problem.name))
