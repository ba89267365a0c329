"""Work done ahead by threads, handed back in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Result]:
    """`function` of each item, in their order, at most `ahead` of them started and not yet taken.

    A result is handed back as soon as it and the next item are there: with a slow source, such
    as a camera, it does not wait for `ahead` items.
    With `workers` 0 everything runs in the caller's thread. An exception is raised at its item's
    turn; then, or when the iterator is closed, what has not started is dropped.
    """
    if workers <= 0:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mintad-data")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            while len(pending) >= max(1, ahead) or (pending and pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def core_count() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
