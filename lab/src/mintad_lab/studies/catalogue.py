"""The studies as data: tables of the MINT-AD paper, and the components of SNL, row by row.

All rows of a study share the recipe `study`; what a row adds is written as for
`mintad train --recipe study --set ...`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from mintad.errors import ConfigError
from mintad_lab.studies.setting import Setting

Overrides = tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A study: what it asks, its rows, and what the paper's figures beside them are."""

    name: str
    question: str
    settings: tuple[Setting, ...]
    paper: str

    def choose(self, rows: Iterable[str]) -> Study:
        """The same with some of its rows. Raises `ConfigError` for a row it does not have."""
        chosen = set(rows)
        for row in sorted(chosen):
            self._check(row)
        return replace(self, settings=tuple(one for one in self.settings if one.name in chosen))

    def override(self, recipe: str | Path, overrides: Iterable[str]) -> Study:
        """The same on another recipe and with more overrides.

        "FIELD=VALUE" goes to every row, below what the row itself sets, "ROW:FIELD=VALUE" to one
        row, above it. Raises `ConfigError` for a row it does not have.
        """
        settings = {one.name: one for one in self.settings}
        shared: list[str] = []
        own: dict[str, list[str]] = {name: [] for name in settings}
        for text in overrides:
            row, colon, field = text.partition("=")[0].rpartition(":")
            if colon:
                self._check(row)
                own[row].append(f"{field}={text.partition('=')[2]}")
            else:
                shared.append(text)
        return replace(
            self,
            settings=tuple(
                replace(one, recipe=recipe, overrides=(*shared, *one.overrides, *own[one.name]))
                for one in self.settings
            ),
        )

    def _check(self, row: str) -> None:
        known = [setting.name for setting in self.settings]
        if row not in known:
            raise ConfigError(
                f"The study {self.name} has no row {row!r}.", f"Its rows: {', '.join(known)}."
            )


def list_studies() -> list[str]:
    """The names of all studies."""
    return list(_STUDIES)


def find_study(name: str) -> Study:
    """A study by name. Raises `ConfigError` for an unknown one."""
    if name not in _STUDIES:
        raise ConfigError(
            f"There is no study named {name!r}.", f"Choose one of: {', '.join(list_studies())}."
        )
    question, rows = _STUDIES[name]
    published = published_figures()[name]
    figures = published["rows"]
    settings = tuple(
        Setting(row, overrides, separate=row.endswith("separate"), published=figures.get(row, {}))
        for row, overrides in rows.items()
    )
    return Study(name, question, settings, f"{published['table']}: {published['measured_on']}")


def published_figures() -> dict[str, Any]:
    """What the paper prints, by study: `table`, `measured_on` and `rows`."""
    file = resources.files("mintad_lab.studies") / "published.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _uniad(variant: str = "uniad", *more: str) -> Overrides:
    return (f"model={variant}", *more)


def _mint_ad(*more: str) -> Overrides:
    """The paper's MINT-AD, but for a LayerNorm in the place of the softmax behind its token."""
    return ("model=mint-ad", "switches.token_activation=layernorm", *more)


def _without(*parts: str) -> Overrides:
    return _mint_ad(*(f"switches.{part}=false" for part in parts))


def _backbone(name: str) -> Overrides:
    """A backbone with the stages that it is meant to be read at."""
    from mintad.backbones import backbone_spec

    stages = list(backbone_spec(name).default_stages)
    return _mint_ad(f"backbone.name={name}", f"backbone.stages={stages}")


def _snl(student: str, *parts: str, without: Iterable[str] = ()) -> Overrides:
    """SNL on `rd4ad` or `stfpm` with some of its components, or with all; none: its baseline."""
    chosen = set(parts or _SNL_PARTS) - set(without)
    switches = "{decoder_width=2.0, standardise=true}" if student == "rd4ad" else "{}"
    return (
        f"model=snl-{student}",
        f"switches={switches}",
        "backbone.stages=[1, 2, 3]",
        f"backbone.sampling={'native' if student == 'rd4ad' else 'native-image'}",
        *(f"switches.{part}={str(part in chosen).lower()}" for part in _SNL_PARTS),
    )


def _snl_rows(student: str) -> dict[str, Overrides]:
    """The ablation on one student: each component alone, all, and both ends of it separately."""
    baseline = _snl(student, without=_SNL_PARTS)
    structural = ("spatial_channel", "intra_affinity", "inter_affinity")
    images, gate = "switches.inter_reading=images", "switches.cram_kind=gate"
    return {
        student: baseline,
        f"{student} + spatial-channel": _snl(student, "spatial_channel"),
        f"{student} + intra-affinity": _snl(student, "intra_affinity"),
        f"{student} + inter-affinity of networks": _snl(student, "inter_affinity"),
        f"{student} + inter-affinity of images": (*_snl(student, "inter_affinity"), images),
        f"{student} + structural": _snl(student, *structural),
        f"{student} + CRAM per position": _snl(student, "cram"),
        f"{student} + CRAM global": (*_snl(student, "cram"), gate),
        f"{student} + structural + CRAM": _snl(student, *structural, "cram"),
        f"snl-{student}": _snl(student),
        f"snl-{student} other readings": (*_snl(student), images, gate),
        f"{student} separate": baseline,
        f"snl-{student} separate": _snl(student),
    }


_SNL_PARTS = ("spatial_channel", "intra_affinity", "inter_affinity", "cram", "affinity_map")

_BACKBONES = (
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "efficientnet_b0",
    "efficientnet_b2",
    "efficientnet_b4",
    "efficientnet_b6",
)

_STUDIES: Mapping[str, tuple[str, Mapping[str, Overrides]]] = {
    "class-aware": (
        "Which way of telling a model the product helps most?",
        {
            "uniad": _uniad(),
            "uniad-query-pool": _uniad("uniad-query-pool"),
            "uniad-class-token": _uniad("uniad-class-token"),
            "uniad-text-prompt": _uniad("uniad-text-prompt", "switches.text_encoder=minilm"),
            "mint-ad": _mint_ad(),
        },
    ),
    "components": (
        "What does each part of MINT-AD give?",
        {
            "none": _without("adaptor", "classification", "class_query", "prior"),
            "adaptor": _without("classification", "class_query", "prior"),
            "adaptor + classification": _without("class_query", "prior"),
            "adaptor + classification + query": _without("prior"),
            "adaptor + classification + prior": _without("class_query"),
            "all": _mint_ad(),
        },
    ),
    "prompts": (
        "What should the class token be made from?",
        {
            "image": _mint_ad("switches.prompt=image", "switches.classification=false"),
            "label": _mint_ad("switches.prompt=label"),
            "feature": _mint_ad("switches.prompt=feature"),
        },
    ),
    "query-network": (
        "What should make the queries, and how?",
        {
            "inr": _mint_ad(),
            "mlp": _mint_ad("switches.query_network=mlp", "switches.prior=false"),
            "inr softmax": _mint_ad("switches.token_activation=softmax"),
            "inr pooled": _mint_ad("switches.token_source=pooled"),
            "inr full": _mint_ad("switches.modulation=full"),
            "inr adapted": _mint_ad("switches.target=adapted"),
        },
    ),
    "backbones": (
        "How much depends on the backbone?",
        {name: _backbone(name) for name in _BACKBONES},
    ),
    "unified-vs-separate": (
        "Is one model over all products as good as one for each?",
        {
            "mint-ad unified": _mint_ad(),
            "mint-ad separate": _mint_ad(),
            "uniad unified": _uniad(),
            "uniad separate": _uniad(),
        },
    ),
    "snl": (
        "What does each part of SNL give, on a reverse and on a forward student?",
        {**_snl_rows("rd4ad"), **_snl_rows("stfpm")},
    ),
}
