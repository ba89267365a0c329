"""Runs the rows of a study: every setting with every seed, each into a folder of its own.

It knows neither the studies nor the command line: any list of settings will do.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mintad.backbones import Backbone, FeatureCache
from mintad.bundle import Bundle
from mintad.data import Dataset
from mintad.errors import ConfigError
from mintad.metrics.evaluation import labelled_test
from mintad.system import Progress
from mintad.system.files import read_json, write_json
from mintad.system.provenance import git_state, package_versions
from mintad.training import RUN_FILE
from mintad.training.run import train_run
from mintad_lab.studies.checking import Checker, Plan, all_overrides, check_data, check_names
from mintad_lab.studies.measuring import BATCH_SIZE, evaluate_cached, evaluate_separate
from mintad_lab.studies.setting import Result, Row, Setting, slug

SETTING_FILE = "setting.json"
RESULT_FILE = "result.json"
TIME_FILE = "training.json"

Finished = Callable[[list[Row], Result], None]


def run_settings(
    settings: Sequence[Setting],
    dataset: Dataset,
    out: str | Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    cache: str | Path | None = None,
    keep_bundles: bool = False,
    progress: Progress | None = None,
    finished: Finished | None = None,
) -> list[Row]:
    """Trains and measures every setting with every seed; a row per setting, in their order.

    A training has the folder `out/NAME-SEED`. What is finished there is not done again, what was
    stopped goes on: call it once more with the same arguments. All settings see the same images,
    whose features come from one `cache` (None: the user's cache folder). The bundles, which are
    large, are deleted once they are measured, unless `keep_bundles`. `finished` is called after
    each training, with all rows as they are by then and its result.

    Before anything is trained, raises `ConfigError` for a setting that cannot be or a folder that
    holds another one, `DataError` for images that will not do. A setting whose weights or packages
    are not at hand becomes a row that says so.
    """
    out, cache = Path(out), None if cache is None else Path(cache)
    check_names(settings)
    fingerprint = check_data(dataset)
    checker = Checker(dataset.train.products)
    plans = [checker.plan(setting) for setting in settings]
    jobs = [
        Job(plan, seed, out, fingerprint) for seed in seeds for plan in plans if plan.reason is None
    ]
    results = {(job.plan.setting.name, job.seed): job.result() for job in jobs}
    left = [job for job in jobs if results[job.plan.setting.name, job.seed] is None]
    _fill_cache(left, checker, dataset, cache, progress)
    checker.backbones.clear()

    def rows() -> list[Row]:
        return [
            Row(
                plan.setting,
                tuple(
                    result
                    for seed in seeds
                    if (result := results.get((plan.setting.name, seed))) is not None
                ),
                plan.reason,
            )
            for plan in plans
        ]

    for number, job in enumerate(left):
        if progress is not None:
            progress("rows", number, len(left))
        result = job.run(dataset, cache, keep_bundles, progress)
        results[job.plan.setting.name, job.seed] = result
        if finished is not None:
            finished(rows(), result)
    return rows()


@dataclass(frozen=True)
class Job:
    """One setting with one seed, in its folder. Raises `ConfigError` where it holds another."""

    plan: Plan
    seed: int
    out: Path
    fingerprint: str

    def __post_init__(self) -> None:
        file = self.place / SETTING_FILE
        if file.is_file() and read_json(file).get("key") != self.key:
            raise ConfigError(
                f"{self.place} holds a row of another recipe or of other images.",
                "Delete it, or name another folder for the study.",
            )

    @property
    def place(self) -> Path:
        """Its folder."""
        return self.out / f"{self.plan.setting.folder}-{self.seed}"

    @property
    def overrides(self) -> list[str]:
        """Those of the setting, and the seed."""
        return [*all_overrides(self.plan.setting), f"seed={self.seed}"]

    @property
    def key(self) -> str:
        """A digest of recipe, seed and images: equal key, equal result."""
        recipe = self.plan.recipe.model_dump(mode="json") | {"seed": self.seed}
        content = [recipe, self.plan.setting.separate, self.fingerprint]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def result(self) -> Result | None:
        """What it gave, where it is finished."""
        file = self.place / RESULT_FILE
        return read_json(file) if file.is_file() else None

    def run(
        self, dataset: Dataset, cache: Path | None, keep: bool, progress: Progress | None
    ) -> Result:
        """Trains, or goes on, and measures; the result, which is written last."""
        setting = self.plan.setting
        write_json(
            self.place / SETTING_FILE,
            {"key": self.key, "name": setting.name, "overrides": self.overrides},
        )

        def train(part: Dataset, folder: Path) -> tuple[Bundle, float | None]:
            return train_timed(part, folder, setting.recipe, self.overrides, cache, progress)

        trained: list[tuple[Bundle, float | None]]
        if setting.separate:
            parts = [
                (dataset.where(lambda sample, p=product: sample.product == p), product)  # type: ignore[misc]
                for product in dataset.train.products
            ]
            trained = [
                train(part, self.place / f"{number:02}-{slug(product)}")
                for number, (part, product) in enumerate(parts)
            ]
            evaluation = evaluate_separate(
                [(bundle, part) for (bundle, _), (part, _) in zip(trained, parts, strict=True)],
                cache,
            )
        else:
            trained = [train(dataset, self.place)]
            evaluation = evaluate_cached(
                trained[0][0],
                dataset,
                cache,
                give_product=self.plan.give_product,
                progress=progress,
            ).to_json()
        seconds = [one for _, one in trained if one is not None]
        manifest = trained[0][0].manifest
        result: Result = {
            "name": setting.name,
            "seed": self.seed,
            "key": self.key,
            "recipe": manifest.recipe,
            "separate": setting.separate,
            "seconds": sum(seconds) if len(seconds) == len(trained) else None,
            "parameters": sum(bundle.manifest.model.parameters for bundle, _ in trained),
            "training_images": sum(bundle.manifest.data["images"] for bundle, _ in trained),
            "versions": package_versions(),
            "git": git_state(),
            "evaluation": evaluation,
        }
        write_json(self.place / RESULT_FILE, result)
        if not keep:
            for bundle, _ in trained:
                shutil.rmtree(bundle.path, ignore_errors=True)
        return result


def train_timed(
    dataset: Dataset,
    run: Path,
    recipe: str | Path,
    overrides: list[str],
    cache: Path | None,
    progress: Progress | None = None,
) -> tuple[Bundle, float | None]:
    """The bundle, and the seconds it took; None where the training was once interrupted.

    A run that is there goes on, a finished one is used as it is.
    """
    resume = (run / RUN_FILE).is_file()
    start = time.perf_counter()
    bundle = train_run(
        dataset,
        run,
        recipe=recipe,
        overrides=overrides,
        cache=cache,
        use_cache=True,
        resume=resume,
        progress=progress,
    )
    file = run / TIME_FILE
    if not resume:
        write_json(file, {"seconds": time.perf_counter() - start})
    return bundle, read_json(file)["seconds"] if file.is_file() else None


def _fill_cache(
    jobs: Sequence[Job],
    checker: Checker,
    dataset: Dataset,
    cache: Path | None,
    progress: Progress | None,
) -> None:
    """One pass of every backbone, so that no row's time holds any of it."""
    good = dataset.good
    samples = [*good, *labelled_test(dataset, dataset.train.products)]
    for config, resize in dict.fromkeys(
        (job.plan.recipe.backbone, job.plan.recipe.resize) for job in jobs
    ):
        backbone = checker.backbones[config]
        assert isinstance(backbone, Backbone)
        FeatureCache(cache).features(
            samples,
            backbone,
            backbone.preprocessing(resize),
            batch_size=BATCH_SIZE,
            progress=progress,
        )
