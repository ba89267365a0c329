"""How many pixels all threads together may hold while they decode."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AT_ONCE = 1 << 25


class _Budget(threading.local):
    """Whether this thread holds pixels already; what all threads hold is shared."""

    holding = False


_mine = _Budget()
_change = threading.Condition()
_held = 0


@contextmanager
def pixels_in_hand(count: int) -> Iterator[None]:
    """Waits until `count` pixels more may be held, and holds them while the block runs.

    An image of more than `2 ** 25` pixels waits until it is alone. A thread that holds pixels
    already does not wait again.
    """
    global _held
    nested = _mine.holding
    with _change:
        _change.wait_for(lambda: nested or _held == 0 or _held + count <= _AT_ONCE)
        _held += count
    _mine.holding = True
    try:
        yield
    finally:
        _mine.holding = nested
        with _change:
            _held -= count
            _change.notify_all()


def _forget() -> None:
    """A forked process has none of the threads that hold pixels."""
    global _held, _change
    _held, _change = 0, threading.Condition()
    _mine.holding = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
