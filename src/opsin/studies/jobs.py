"""The runs of a study as jobs, and the messages between the study and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from opsin.recipe.recipe import Recipe


class WorkerOptions(TypedDict):
    """Options that all jobs of a study have in common.

    Attributes:
        data_root: Folder of named datasets; empty: the default places.
        anonymous: Whether reports omit file names and paths.
        inspect: Whether each network is inspected after training.
        open_test: Whether the test split is evaluated.
        memory_gb: Memory for the decoded images of one run, in GB.
    """

    data_root: str
    anonymous: bool
    inspect: bool
    open_test: bool
    memory_gb: float


class JobMessage(TypedDict):
    """One job as sent to a worker.

    Attributes:
        recipe: The recipe as nested tables.
        place: The run folder.
        members: Run folders combined into an ensemble; empty: the job trains.
        soup: Whether the weights of the members are averaged instead of their predictions.
    """

    recipe: dict[str, Any]
    place: str
    members: list[str]
    soup: bool


class WorkerJob(JobMessage, WorkerOptions):
    """A job together with the options of the study."""


class JobResult(TypedDict):
    """The answer of a worker.

    Attributes:
        state: finished, failed or interrupted.
        why: The reason, unless finished.
    """

    state: str
    why: str


class JobRow(TypedDict):
    """The entry of a run in ``study.json``."""

    variant: str
    seed: int
    fold: int | None
    run: str
    state: str
    why: str


@dataclass
class Job:
    """One run of a study.

    Attributes:
        variant: Name of the variant.
        seed: Training seed.
        place: The run folder.
        recipe: The recipe, with seed and fold.
        fold: Index of the fold; None without cross-validation.
        needs: Folders of the runs that must finish first.
        members: Whether it combines the runs in ``needs`` into an ensemble instead of training.
        soup: Whether their weights are averaged instead of their predictions.
        state: waiting, training, finished, failed, interrupted or skipped.
        why: Reason of a failure or a skip.
    """

    variant: str
    seed: int
    place: Path
    recipe: Recipe
    fold: int | None = None
    needs: tuple[Path, ...] = ()
    members: bool = False
    soup: bool = False
    state: str = "waiting"
    why: str = ""

    @property
    def message(self) -> JobMessage:
        """The job as sent to a worker."""
        members = [str(run.resolve()) for run in self.needs] if self.members else []
        return {"recipe": self.recipe.to_dict(), "place": str(self.place), "members": members, "soup": self.soup}

    @property
    def row(self) -> JobRow:
        """The entry in ``study.json``."""
        return {
            "variant": self.variant,
            "seed": self.seed,
            "fold": self.fold,
            "run": self.place.name,
            "state": self.state,
            "why": self.why,
        }
