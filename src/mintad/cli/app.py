"""The command line: a thin layer over the face."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mintad.cli.about import doctor, models
from mintad.cli.export import export
from mintad.cli.parity import parity
from mintad.cli.speed import speed
from mintad.errors import MintadError, StorageError

if TYPE_CHECKING:
    from mintad.system.progress import Progress


class Commands(TyperGroup):
    """What a user can mend ends in a message and exit status 2, Ctrl-C in one and 130."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except MintadError as error:
            typer.echo(f"error: {error.problem}\n  {error.mend}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="mintad",
    cls=Commands,
    help="Visual anomaly detection: one model inspects every product.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...", help="Folders or manifests of images; NAME=PATH prefixes the products."
    ),
]
BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle or run folder.")]
Layout = Annotated[str, typer.Option(help="How the data is laid out; auto finds out.")]
Engine = Annotated[
    str | None,
    typer.Option(help="openvino, onnx, torch, openvino:bfloat16 and so on; auto measures them."),
]


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The folder of the run; the bundle goes inside.")],
    recipe: Annotated[str, typer.Option(help="A recipe's name, or a TOML file.")] = "default",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override any field of the recipe."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set seed=N.")] = None,
    layout: Layout = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where features are kept.")] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute the features anew in every epoch.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out after a stop.")
    ] = False,
) -> None:
    """Train one model over all products from their good images."""
    from mintad.api import train as run
    from mintad.data import read

    overrides = list(set_ or []) + ([] if seed is None else [f"seed={seed}"])
    dataset = read(*data, layout=layout)
    typer.echo(f"{len(dataset.train)} training images of {len(dataset.train.products)} products")
    with progress_bar() as progress, resume_hint(out, "the same command with --resume"):
        bundle = run(
            dataset,
            out,
            recipe=recipe,
            overrides=overrides,
            cache=cache,
            use_cache=not no_cache,
            resume=resume,
            progress=progress,
        )
    typer.echo(f"bundle: {bundle.path}")


@app.command()
def evaluate(
    bundle: BundlePath,
    data: Data,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here.")
    ] = None,
    give_product: Annotated[
        bool, typer.Option("--give-product", help="Tell the model the product of each image.")
    ] = False,
    layout: Layout = "auto",
    engine: Engine = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", "--protocols", help="Measure as another project does, too; or all."
        ),
    ] = None,
) -> None:
    """Measure a bundle on labelled test images: seven metrics per product, macro and pooled."""
    from mintad.api import evaluate as run
    from mintad.data import read
    from mintad.report.terminal import evaluation_text
    from mintad.system.files import write_json

    dataset = read(*data, layout=layout)
    if protocol:
        from mintad.cli.protocols import compare_protocols

        return compare_protocols(bundle, dataset, protocol, json_file, give_product, engine)
    with progress_bar() as progress:
        result = run(bundle, dataset, give_product=give_product, engine=engine, progress=progress)
    content = result.to_json()
    typer.echo(evaluation_text(content))
    if json_file is not None:
        write_json(json_file, content)
        typer.echo(f"numbers: {json_file}")
    return None


@app.command()
def inspect(
    bundle: BundlePath,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images or folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the heatmap overlays.")] = Path("heatmaps"),
    no_heatmaps: Annotated[
        bool, typer.Option("--no-heatmaps", help="Write no overlays, only the lines.")
    ] = False,
    product: Annotated[
        str | None, typer.Option(help="The product of these images; recognised without it.")
    ] = None,
    engine: Engine = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
) -> None:
    """Inspect images: one line of JSON and one heatmap overlay for each.

    Exits with 1 when an image could not be read; the others are inspected all the same.
    """
    from mintad.inspection import Inspector
    from mintad.inspection.paths import inspect_paths

    inspector = Inspector(bundle, engine=engine, batch_size=batch_size)
    failed = 0
    place = None if no_heatmaps else out
    for line in inspect_paths(inspector, paths, product=product, out=place):
        failed += "error" in line
        typer.echo(json.dumps(line))
    if failed:
        images = "1 image" if failed == 1 else f"{failed} images"
        typer.echo(f"{images} could not be inspected; each line's error says why.", err=True)
        raise typer.Exit(1)


@app.command()
def report(
    bundle: BundlePath,
    data: Data,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    layout: Layout = "auto",
    engine: Engine = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Worst false alarms and misses per product.")
    ] = 6,
    give_product: Annotated[
        bool, typer.Option("--give-product", help="Tell the model the product of each image.")
    ] = False,
) -> None:
    """Evaluate a bundle and write one self-contained HTML page of the results."""
    from mintad.data import read
    from mintad.report.compose import make_report

    dataset = read(*data, layout=layout)
    with progress_bar() as progress:
        make_report(
            bundle,
            dataset,
            out,
            engine=engine,
            examples=examples,
            give_product=give_product,
            progress=progress,
        )
    typer.echo(f"report: {out}")


@app.command()
def validate(data: Data, layout: Layout = "auto") -> None:
    """List every problem of a data set at once; exits with 1 when there is an error."""
    from mintad.data import read
    from mintad.data.validation import validate as run
    from mintad.report.problems import problems_text

    dataset = read(*data, layout=layout)
    with progress_bar() as progress:
        problems = run(dataset, progress=progress)
    typer.echo(problems_text(dataset, problems))
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, run and report.")] = Path("demo"),
    recipe: Annotated[str, typer.Option(help="A recipe's name, or a TOML file.")] = "fast",
) -> None:
    """Train on five products that come with packages from PyPI, and show the result."""
    from mintad.demo.run import run_demo

    with progress_bar() as progress, resume_hint(out / "run", "the same command"):
        run_demo(out, recipe=recipe, progress=progress, echo=typer.echo)


for command in (doctor, models, export, parity, speed):
    app.command()(command)


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
        elif (run / RUN_FILE).is_file():
            kept = f"No epoch was finished; {how} goes on with the features, which are kept."
        else:
            kept = "The features computed so far are kept; the same command uses them."
        typer.echo(kept, err=True)
        raise


def main() -> None:
    """Runs the command line; a warning is one line."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    app()


if __name__ == "__main__":
    main()
