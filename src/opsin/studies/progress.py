"""Progress of a study on the console: a live table on a terminal, else one line per finished run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from opsin.errors import OpsinError
from opsin.runs.folder import RunFolder
from opsin.studies.study import Study
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.studies.jobs import Job


class StudyTable:
    """Live table of the progress of all runs; a context manager.

    Args:
        console: Output console.
        study: The study.
        jobs: Its runs; their states are read at each update.
    """

    def __init__(self, console: Console, study: Study, jobs: Sequence[Job]):
        self.console, self.study, self.jobs = console, study, jobs
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal and not console.quiet else None

    def __enter__(self) -> StudyTable:
        if self.live:
            self.live.start()
        self.draw()
        return self

    def __exit__(self, *problem: object) -> None:
        if self.live:
            self.draw()
            self.live.stop()

    def draw(self) -> None:
        """Update the table."""
        if self.live:
            self.live.update(self._table(), refresh=True)

    def report(self, job: Job) -> None:
        """Print the outcome of a run, unless the table shows it."""
        if not self.live:
            done = sum(each.state == "finished" for each in self.jobs)
            text = f"[{done}/{len(self.jobs)}] {job.variant} {_where(job)}: {job.state} {self._cell(job)}"
            self.console.print(text.rstrip(), highlight=False, markup=False, soft_wrap=True)
            if job.why and job.state != "finished":
                self.console.print(f"  {job.why}", highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2), header_style="bold")
        table.add_column("variant")
        for job in self.jobs:
            if job.variant == self.jobs[0].variant:
                table.add_column(_where(job))
        for name in self.study.variants:
            cells = [self._cell(job) or job.state for job in self.jobs if job.variant == name]
            table.add_row(name, *cells)
        return table

    def _cell(self, job: Job) -> str:
        """Return the progress of a run in a few words, or an empty string."""
        if job.state not in ("training", "finished"):
            return ""
        try:
            run = RunFolder(job.place)
            decides = self.study.score or task_spec(run.task).main_metric
            if job.state == "finished":
                return _scored(run, decides)
            history = run.history
            if not history:
                return "epoch 1"
            score = history[-1]["validation"].get(decides)
            shown = f", validation {score:.4f}" if score is not None else ""
            return f"epoch {len(history)}/{run.recipe.training.epochs}{shown}"
        except (OpsinError, KeyError):
            return ""  # the file is being written


def _where(job: Job) -> str:
    return f"seed {job.seed}" + ("" if job.fold is None else f" fold {job.fold}")


def _scored(run: RunFolder, score: str) -> str:
    found = run.scorecard.get("test") or run.scorecard.get("validation", {})
    return f"{score.replace('_', ' ')} {found[score]['value']:.4f}" if score in found else ""
