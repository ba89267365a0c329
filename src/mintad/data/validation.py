"""Everything that is wrong with a data set, found in one pass and told all at once."""

from __future__ import annotations

from mintad.data.checks import (
    duplicates,
    label_contradictions,
    mask_problems,
    masks_without_image,
    mixed_colour,
    too_few_good_images,
    unreadable_files,
    unusual_sizes,
)
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
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """All problems of the data set, errors first; an empty list for a clean one.

    Every file is read once, by `workers` threads (one per core if None); of each, only a few
    numbers are kept. Masks that belong to
    no image are looked for in the folders of `dataset.roots`, thus only in a whole data set.
    """
    workers = core_count() if workers is None else workers

    def look(sample: Sample) -> Examined:
        return examine(sample, max_pixels)

    examined: list[Examined] = []
    for one in map_ahead(look, dataset, workers=workers, ahead=8 * max(1, workers)):
        examined.append(one)
        if progress is not None:
            progress("images", len(examined), len(dataset))
    problems = [
        *unreadable_files(examined),
        *duplicates(examined),
        *mask_problems(examined),
        *masks_without_image(dataset),
        *label_contradictions(examined),
        *too_few_good_images(examined),
        *unusual_sizes(examined),
        *mixed_colour(examined),
    ]
    return sorted(problems, key=lambda problem: (problem.severity, problem.kind, problem.name))
