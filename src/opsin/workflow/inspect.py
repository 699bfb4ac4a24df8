"""Further inspections of a trained network: `opsin.inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.errors import RunError
from opsin.evaluation.evaluate_split import judge
from opsin.inspection import check_names
from opsin.inspection import inspect as inspect_subject
from opsin.workflow.evaluate import prepare_again, subject_of
from opsin.workflow.report import report
from opsin.workflow.run import Run


def inspect(
    run: Run | str | Path, data: Dataset | None = None, *, only: Sequence[str] = (), quiet: bool = False
) -> list[str]:
    """Inspect a run, as is done at the end of training, and bring its report up to date.

    Args:
        run: A run or its folder.
        data: The run's own data again, where they were given as a `Dataset`.
        only: The inspections to make; left out, all of them.
        quiet: Say nothing.

    Returns:
        The names of the inspections made.

    Raises:
        OpsinError: There is no such inspection.
        RunError: The run has no weights yet, or its data have changed since.
    """
    check_names(only)
    run = run if isinstance(run, Run) else Run(run)
    if not run.scorecard:
        raise RunError(f"{run.path} is not scored yet; go on with it first: opsin train --resume {run.path}")
    console = Console(quiet=quiet)
    prepared = prepare_again(run.folder, data, console)
    made = inspect_subject(run.folder, subject_of(run, prepared), only, console)
    judge(run.folder)
    report(run, anonymous=bool(run.folder.info.get("anonymous")))
    return made
