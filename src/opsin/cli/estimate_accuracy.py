"""``opsin estimate-accuracy``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.options import AsJson, RunArgument, SkipUnreadable
from opsin.errors import DataError
from opsin.workflow.find_images import find_images

if TYPE_CHECKING:
    from opsin.workflow.estimate_accuracy import Forecast

app = typer.Typer(add_completion=False)

SHOWN = 12  # classes of the table

EXAMPLES = """[bold]Examples[/bold]

  opsin estimate-accuracy runs/photos-3f9a1c new/

  opsin estimate-accuracy runs/cells-51c0de other-laboratory/ --shares neutrophil=60,lymphocyte=30,monocyte=10"""


@app.command(epilog=EXAMPLES)
def estimate_accuracy(
    run: RunArgument,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Image files, folders and globs; 30 images or more.")
    ],
    shares: Annotated[
        str,
        typer.Option(
            metavar="CLASS=NUMBER,…",
            help="Class proportions of these images, in percent, counts or any unit; a class that is not named does "
            "not occur. Default: the proportions of the run's own images.",
        ),
    ] = "",
    as_json: AsJson = False,
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Estimate the accuracy of a run on images without labels.

    The estimate compares the confidence of the network and the distribution of its predictions over the classes with
    those under simulated domain shifts. If you know the class proportions, give them with --shares: they matter much.
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
    """Read ``cat=60,dog=40``; text before a comma without ``=`` belongs to the name that follows.

    Raises:
        DataError: The text has another form.
    """
    pairs = list(re.finditer(r"(.+?)=([^,=]*)(?:,|$)", text))
    try:
        if "".join(pair[0] for pair in pairs) != text:
            raise ValueError
        return {pair[1].strip(): float(pair[2]) for pair in pairs}
    except ValueError:
        raise DataError(f"--shares {text}: write CLASS=NUMBER, separated by commas.") from None


def _print(found: Forecast) -> None:
    screen, told = console(), found.accuracy
    whose = "given" if found.given else "in the run's images"
    common = sorted(found.shares, key=lambda name: -max(found.shares[name], found.answers[name]))
    rows = [[name, f"{found.answers[name]:.1%}", f"{found.shares[name]:.1%}"] for name in common[:SHOWN]]
    screen.print(table(["class", "predicted", f"share {whose}"], rows, numbers=["predicted", f"share {whose}"]))
    if len(common) > SHOWN:
        screen.print(f"and {len(common) - SHOWN:,} more")
    screen.print(f"mean confidence {told.confidence:.2f}, on the run's own images {told.home_confidence:.2f}")
    screen.print(
        f"overlap of predicted and given shares {told.overlap:.2f}, on the run's own images {told.home_overlap:.2f}"
    )
    if found.unlike is not None:
        screen.print(f"{found.unlike:,} of {found.images:,} images are unlike the training images")
    screen.print(found.sentence, soft_wrap=True)
