"""Registries that other packages can add to."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from mintad.errors import ConfigError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries by name: mintad's own, and those of other packages.

    `what` is what an entry is, in messages. At the first look-up `own` registers mintad's entries;
    then the modules are imported that installed packages name as entry points of `group`, and
    register theirs. A module that cannot be imported gets a warning and is left out.
    """

    def __init__(self, what: str, group: str, own: Callable[[], None] | None = None) -> None:
        self._what = what
        self._group = group
        self._own = own
        self._entries: dict[str, Entry] = {}
        self._lock = threading.RLock()  # of a thread that looks up while another one loads
        self._loaded = False

    def add(self, name: str, entry: Entry, is_same: Callable[[Entry], bool] | None = None) -> None:
        """Registers `entry`. Raises `ConfigError` where another one has the name.

        `is_same` tells an entry that is registered once more, as when a module is reloaded.
        """
        known = self._entries.get(name, entry)
        if known != entry and not (is_same is not None and is_same(known)):
            raise ConfigError(
                f"There is another {self._what} named {name!r}.",
                f"Register this {self._what} under another name.",
            )
        self._entries[name] = entry

    def entries(self) -> dict[str, Entry]:
        """All entries by name, in the order in which they were registered."""
        with self._lock:
            if not self._loaded:
                self._loaded = True  # a module that is imported here may look up, too
                self._load()
            return dict(self._entries)

    def _load(self) -> None:
        if self._own is not None:
            self._own()
        for point in entry_points(group=self._group):
            try:
                point.load()
            except Exception as error:  # another package's module may raise anything
                warnings.warn(_left_out(self._what, point, error), stacklevel=4)


def _left_out(what: str, point: EntryPoint, error: Exception) -> str:
    package = "" if point.dist is None else f" of {point.dist.name} {point.dist.version}"
    reason = f"{type(error).__name__}: {error}".rstrip(".")
    return f"The {what} {point.name!r} ({point.value}){package} is left out: {reason}."
