"""``opsin check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.console import console
from opsin.cli.options import DataRoot

if TYPE_CHECKING:
    from rich.console import Console

    from opsin.audit.finding import ImageFinding
    from opsin.audit.result import Check

app = typer.Typer(add_completion=False)

NAMED = 3  # images listed in the terminal for each finding
UNUSABLE = 2

EXAMPLES = """[bold]Examples[/bold]

  opsin check photos/

  opsin check photos/ --labels --out photos.html

  opsin check scans.csv --label diagnosis --group patient

  opsin check photos/ --json > findings.json"""


@app.command(epilog=EXAMPLES)
def check(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder, CSV, npz or IDX file, or the name of a data set.")
    ],
    labels: Annotated[bool, typer.Option("--labels", help="Also search for likely label errors.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="HTML page to write; default: check.html, or none with --json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, with all file names.")] = False,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Keep file names out of the page; it then cannot save decisions.")
    ] = False,
    label: Annotated[str, typer.Option(help="Column or array that holds the class.")] = "label",
    group: Annotated[str, typer.Option(help="Column or array that holds the group (patient, slide).")] = "group",
    group_by: Annotated[
        str | None, typer.Option(help="Groups from file names or folders, as for `opsin train --group-by`.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="File of decisions to apply; default: decisions.csv in the folder, if it exists."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Find broken, duplicate, foreign and mislabelled images, and write a page that shows them.

    On the page you decide which images to exclude, relabel or keep, and save decisions.csv in the folder of the
    images. Training and every later check apply that file; no image is ever deleted. The exit code is 0 whatever the
    findings, and 2 only if `opsin train` would refuse the data.
    """
    from opsin.workflow.check import check as check_images
    from opsin.workflow.report import report

    settings: dict[str, Any] = {
        "label": label,
        "group": group,
        "group_by": group_by,
        "decisions": decisions and str(decisions),
    }
    found = check_images(data, labels=labels, data_root=data_root, quiet=False, **settings)
    if as_json:
        typer.echo(json.dumps([finding.to_dict() for finding in found.findings], indent=2, ensure_ascii=False))
    else:
        _print(console(), found)
    if out is not None or not as_json:
        page = report(found, out, anonymous=anonymous)
        console(stderr=as_json).print(f"page  {page}", soft_wrap=True)
    if not found.usable:
        console(stderr=True).print("Training will refuse these data until the serious findings are fixed.")
        raise typer.Exit(UNUSABLE)


def _print(screen: Console, found: Check) -> None:
    dataset = found.dataset
    screen.print(f"{dataset.name}: {len(dataset):,} images, {dataset.describe()}, {found.sizes}")
    for note in dataset.notes:
        screen.print(f"  {note}")
    for finding in found.findings:
        screen.print()
        _print_finding(screen, finding)
    screen.print()
    screen.print(f"Found: {found.headline()}.")
    if any(finding.images for finding in found.findings):
        place = f"{found.place}" if found.place else "decisions.csv, for --decisions"
        screen.print(f"Open the page, decide what to exclude, relabel or keep, and save it as {place}.", soft_wrap=True)


def _print_finding(screen: Console, finding: ImageFinding) -> None:
    screen.print(f"{finding.severity}: {finding.sentence}")
    for name in finding.images[:NAMED]:
        detail = finding.details.get(name)
        screen.print(f"    {name}" + (f"  ({detail})" if detail else ""), soft_wrap=True)
    if len(finding.images) > NAMED:
        screen.print(f"    and {len(finding.images) - NAMED:,} more")
    if finding.advice:
        screen.print(f"  {finding.advice}")
