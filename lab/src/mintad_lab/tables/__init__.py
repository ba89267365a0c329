"""Every table of the papers and of the book, as data: one file a table.

A new table is a new file with a `TABLE` of the file's name, `-` in the place of `_`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from mintad.errors import ConfigError
from mintad_lab.experiment.table import Table

__all__ = ["describe_tables", "find_table", "list_tables"]


def list_tables() -> list[str]:
    """The names of all tables."""
    names = [module.name for module in iter_modules(__path__) if module.name != "rows"]
    return sorted(name.replace("_", "-") for name in names)


def find_table(name: str) -> Table:
    """A table by name. Raises `ConfigError` for an unknown one."""
    if name not in list_tables():
        raise ConfigError(
            f"There is no table named {name!r}.", f"Choose one of: {', '.join(list_tables())}."
        )
    table: Table = import_module(f"{__name__}.{name.replace('-', '_')}").TABLE
    return table


def describe_tables() -> str:
    """What each table asks, with its source, cases and rows."""
    lines = []
    for table in map(find_table, list_tables()):
        source = f" ({table.source})" if table.source else ""
        lines += [f"{table.name}: {table.question}{source}"]
        lines += [f"  cases: {', '.join(case.name for case in table.cases)}"]
        lines += [f"  rows: {', '.join(row.name for row in table.rows)}", ""]
    return "\n".join(lines).rstrip()
