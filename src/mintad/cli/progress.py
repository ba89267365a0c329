"""What a command tells while it runs, and when it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mintad.errors import StorageError

if TYPE_CHECKING:
    from mintad.system.progress import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error while something counts up; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


@contextmanager
def resume_hint(run: Path, how: str) -> Iterator[None]:
    """Says after Ctrl-C, or on a full disk, what is kept of a run, and how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, StorageError):
        from mintad.training import CHECKPOINT, RUN_FILE

        if (run / CHECKPOINT).is_file():
            kept = f"{run} keeps every finished epoch; {how} goes on from there."
        elif (run / "bundle" / "manifest.json").is_file():
            kept = f"The bundle is finished but for its graph; {how} makes that."
        elif (run / RUN_FILE).is_file():
            kept = f"No epoch was finished; {how} goes on with the features, which are kept."
        else:
            kept = "The features computed so far are kept; the same command uses them."
        typer.echo(kept, err=True)
        raise
