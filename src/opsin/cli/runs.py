"""``opsin runs``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, interval, table
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.runs.folder import RunFolder

app = typer.Typer(add_completion=False)


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder that holds the runs.")] = Path("runs"),
) -> None:
    """List the runs in a folder, newest first."""
    from opsin.runs.folder import list_runs

    found = list_runs(folder)
    screen = console()
    if not found:
        screen.print(f"No runs in {folder} yet; `opsin train digits` makes the first one.")
        return
    from opsin.metrics.names import describe_score

    mains = {run.path: task_spec(run.task).main_metric for run in found}
    one = len(set(mains.values())) == 1
    words = {path: describe_score(main).words for path, main in mains.items()}
    columns = ["run", "data", "network", f"test {words[found[0].path] if one else 'score'}", "epochs", "state"]
    rows = [_run_row(run, mains[run.path], "" if one else words[run.path]) for run in found]
    screen.print(table([*columns, "when", "report"], rows, numbers=["epochs"]))


def _run_row(run: RunFolder, main: str, words: str) -> tuple[str, ...]:
    info = run.info
    when = datetime.fromisoformat(info["created"]).astimezone()
    report = run.path / "report.html"
    return (
        run.name,
        info.get("data", {}).get("name", run.recipe.data.source),
        info.get("network", {}).get("name", run.recipe.network.name or ""),
        f"{words} {interval(run.scorecard.get('test', {}).get(main))}".strip(),
        "–" if "ensemble" in info else f"{len(run.history)}/{run.recipe.training.epochs}",
        info["state"],
        f"{when:%Y-%m-%d %H:%M}",
        str(report) if report.exists() else "",
    )
