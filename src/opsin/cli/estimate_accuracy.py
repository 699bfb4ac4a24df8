"""``opsin estimate-accuracy``: how well a run will do on images that nobody has labelled."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.errors import DataError
from opsin.workflow.find_images import find_images

if TYPE_CHECKING:
    from opsin.workflow.estimate_accuracy import Forecast

app = typer.Typer(add_completion=False)

SHOWN = 12  # classes of the table

EXAMPLES = """[bold]Examples[/bold]

  opsin estimate-accuracy runs/photos-3f9a1c new/

  opsin estimate-accuracy runs/cells-51c0de other-laboratory/ --shares neutrophil=60,lymphocyte=25,monocyte=10,eosinophil=5"""


@app.command(epilog=EXAMPLES)
def estimate_accuracy(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Files, folders and globs; 30 or more.")],
    shares: Annotated[
        str,
        typer.Option(
            metavar="CLASS=NUMBER,…",
            help="How common the classes are in such images, in percent or any unit, or how many of these images are "
            "of each; a class left out is not there. Without it: as common as in the run's own images.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON and nothing else.")] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Name the images that cannot be read and leave them out.")
    ] = False,
) -> None:
    """Estimate how many of a run's answers to images without labels are right.

    Told by how sure the network is and by how its answers are shared among the classes, compared with what it does in
    simulated laboratories. Say with --shares how common the classes are, where that is known: it matters much.
    """
    paths = find_images(images)

    from opsin.workflow.estimate_accuracy import estimate_accuracy

    found = estimate_accuracy(run, paths, shares=_read(shares) if shares else None, skip_unreadable=skip_unreadable)
    for name, reason in found.left_out.items():
        console(stderr=True).print(f"left out: {name} {reason}", soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        _print(found)


def _read(text: str) -> dict[str, float]:
    """Read ``cat=60,dog=40``; what stands before a comma without ``=`` belongs to the name that follows.

    Raises:
        DataError: It is written otherwise.
    """
    pairs = list(re.finditer(r"(.+?)=([^,=]*)(?:,|$)", text))
    try:
        if "".join(pair[0] for pair in pairs) != text:
            raise ValueError
        return {pair[1].strip(): float(pair[2]) for pair in pairs}
    except ValueError:
        raise DataError(f"--shares {text}: write CLASS=NUMBER, with commas between several.") from None


def _print(found: Forecast) -> None:
    screen, told = console(), found.accuracy
    whose = "given" if found.given else "in the run's images"
    common = sorted(found.shares, key=lambda name: -max(found.shares[name], found.answers[name]))
    rows = [[name, f"{found.answers[name]:.1%}", f"{found.shares[name]:.1%}"] for name in common[:SHOWN]]
    screen.print(table(["class", "answers", f"share {whose}"], rows, numbers=["answers", f"share {whose}"]))
    if len(common) > SHOWN:
        screen.print(f"and {len(common) - SHOWN:,} more")
    screen.print(f"sure of its answers by {told.confidence:.2f} on average, at home by {told.home_confidence:.2f}")
    screen.print(f"shares in common {told.overlap:.2f}, at home {told.home_overlap:.2f}")
    if found.unlike is not None:
        screen.print(f"{found.unlike:,} of {found.images:,} images are unlike the training images")
    screen.print(found.sentence, soft_wrap=True)
