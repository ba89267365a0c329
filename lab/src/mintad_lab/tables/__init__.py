"""Every table of the papers and of the book, as data: one TOML file a table.

A file holds the fields of `mintad_lab.experiment.table.Table`. `rows` maps names to what a row
sets: `recipe`, `set` (overrides), `separate`, and what is printed of it elsewhere, by metric;
`like` names a row that it is built on: one of `rows.toml`, a peer, or one above it. `group`
names rows of `rows.toml` that follow as they are, with `apart` each once more with a model for
each product. `cases` maps names to `kind`, `amount` and `published`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from typing import Any

from mintad.errors import ConfigError
from mintad.metrics import METRICS
from mintad_lab.experiment.table import Case, Row, Table
from mintad_lab.peers.catalogue import PEERS

__all__ = ["describe_tables", "find_table", "list_tables", "shared_rows"]

_SHARED = "rows"


def list_tables() -> list[str]:
    """The names of all tables."""
    files = [file.name for file in resources.files(__name__).iterdir()]
    names = {name.removesuffix(".toml") for name in files if name.endswith(".toml")}
    return sorted(names - {_SHARED})


def find_table(name: str) -> Table:
    """A table by name. Raises `ConfigError` for an unknown one."""
    if name not in list_tables():
        raise ConfigError(
            f"There is no table named {name!r}.", f"Choose one of: {', '.join(list_tables())}."
        )
    content, shared = _read(name), shared_rows()
    rows = list(_rows(content.pop("rows", {}), shared).values())
    group, apart = content.pop("group", None), content.pop("apart", False)
    for row in (shared[row_name] for row_name in _read(_SHARED)["groups"].get(group, ())):
        rows += [row, row.apart()] if apart else [row]
    cases = [Case(case, **fields) for case, fields in content.pop("cases", {}).items()]
    return Table(name, rows=tuple(rows), cases=tuple(cases) or (Case(),), **content)


def shared_rows() -> dict[str, Row]:
    """The rows that several tables share, by name: the peers, and those of `rows.toml`."""
    peers = {name: Row(name, peer=peer) for name, peer in PEERS.items()}
    return peers | _rows(_read(_SHARED)["rows"], peers)


def describe_tables() -> str:
    """What each table asks, with its source, cases and rows."""
    lines = []
    for table in map(find_table, list_tables()):
        source = f" ({table.source})" if table.source else ""
        lines += [f"{table.name}: {table.question}{source}"]
        lines += [f"  cases: {', '.join(case.name for case in table.cases)}"]
        lines += [f"  rows: {', '.join(row.name for row in table.rows)}", ""]
    return "\n".join(lines).rstrip()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))


def _rows(content: Mapping[str, Mapping[str, Any]], known: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of a file, by name; those that are `known`, and those above, can be built on."""
    rows: dict[str, Row] = {}
    for name, fields in content.items():
        more = {key: value for key, value in fields.items() if key not in ("like", "set", *METRICS)}
        base = {**known, **rows}[fields["like"]] if "like" in fields else Row(name)
        rows[name] = replace(
            base,
            name=name,
            overrides=(*base.overrides, *fields.get("set", ())),
            published={metric: fields[metric] for metric in METRICS if metric in fields},
            **more,
        )
    return rows
