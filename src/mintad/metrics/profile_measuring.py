"""One pass over the test images, measured under any number of protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintad.bundle import Bundle
from mintad.data import Dataset, Sample
from mintad.errors import DataError
from mintad.inspection import Inspection, Inspector
from mintad.metrics import METRICS, MetricTable
from mintad.metrics.evaluation import inspect_samples, labelled_test, picture_of, sample_mask
from mintad.metrics.geometry import prepare_map, prepare_mask, score_map
from mintad.metrics.profile_counting import Gathered
from mintad.metrics.profiles import Profile, find_profiles
from mintad.system.progress import Progress


@dataclass(frozen=True)
class Measured:
    """The same predictions under several protocols, in their order, `mintad` first."""

    evaluations: dict[str, MetricTable]
    profiles: tuple[Profile, ...]

    def to_json(self) -> dict[str, Any]:
        """What `mintad evaluate --protocol --json` writes."""
        return {
            profile.name: {
                **self.evaluations[profile.name].to_json(),
                "protocol": profile.model_dump(mode="json"),
            }
            for profile in self.profiles
        }

    def table(self, part: str = "macro") -> str:
        """A Markdown table: each metric under each protocol, and how far it moved from `mintad`.

        `part` is "macro" or "pooled". A star marks what the protocol's own code does not report.
        """
        lines = [f"| {part} | {' | '.join(METRICS)} |", "|" + "---|" * (len(METRICS) + 1)]
        first = self._values(self.profiles[0].name, part)
        for number, profile in enumerate(self.profiles):
            values = self._values(profile.name, part)
            cells = [
                _cell(values[metric], first[metric] if number else None)
                + ("" if metric in profile.defines else " *")
                for metric in METRICS
            ]
            lines.append(f"| {profile.name} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def _values(self, name: str, part: str) -> dict[str, float | None]:
        evaluation = self.evaluations[name]
        return evaluation.macro if part == "macro" else dict(evaluation.pooled.values)


def evaluate_protocols(
    bundle: Inspector | Bundle | str | Path,
    dataset: Dataset,
    protocols: Sequence[str] = ("all",),
    *,
    give_product: bool = False,
    engine: str | None = None,
    progress: Progress | None = None,
) -> Measured:
    """The seven metrics of a bundle on the test images of `dataset` under each protocol.

    `protocols` are names of profiles, "all" every one; `mintad` is always among them, and is what
    `mintad.evaluate` says. The network sees every image once, at the bundle's own size. Raises
    `ConfigError` for an unknown protocol, `DataError` without labelled test images or for a
    product that the bundle does not know.
    """
    profiles = find_profiles(protocols)
    inspector = bundle if isinstance(bundle, Inspector) else Inspector(bundle, engine=engine)
    samples = labelled_test(dataset, inspector.products)
    gathered: dict[str, dict[str, Gathered]] = {profile.name: {} for profile in profiles}
    found = inspect_samples(inspector, samples, give_product=give_product)
    for number, (sample, inspection) in enumerate(found, start=1):
        for profile in profiles:
            state = gathered[profile.name].setdefault(sample.product, Gathered())
            _add(state, profile, sample, inspection)
        if progress is not None:
            progress("images", number, len(samples))
    evaluations = {
        profile.name: _evaluation(gathered[profile.name], profile) for profile in profiles
    }
    return Measured(evaluations, tuple(profiles))


def _add(state: Gathered, profile: Profile, sample: Sample, inspection: Inspection) -> None:
    if inspection.error is not None:
        raise DataError(
            inspection.error, "Mend or remove the image; `mintad validate` lists them all."
        )
    assert inspection.anomaly_map is not None
    assert inspection.score is not None
    assert inspection.size is not None
    assert sample.label is not None
    picture = picture_of(inspection.anomaly_map, inspection.box)
    anomaly_map = prepare_map(picture, profile)
    mask = sample_mask(sample, inspection.size)
    prepared = None if mask is None else prepare_mask(mask, profile, picture.shape)
    own = profile.image_score == "model"
    label = sample.label
    if profile.image_label == "mask" and prepared is not None:
        label = int(prepared.any())
    score = inspection.score if own else score_map(anomaly_map, profile.image_score)
    state.add(score, label, anomaly_map, prepared)


def _evaluation(gathered: dict[str, Gathered], profile: Profile) -> MetricTable:
    everything = Gathered()
    for state in gathered.values():
        everything.merge(state)
    rows = {name: state.row(profile) for name, state in sorted(gathered.items())}
    return MetricTable(rows, everything.row(profile))


def _cell(value: float | None, reference: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:.4f}"
    return text if reference is None else f"{text} ({value - reference:+.4f})"
