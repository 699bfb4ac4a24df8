"""One training of a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsin.recipe.recipe import Recipe


@dataclass
class Job:
    """One run of a study.

    Attributes:
        variant: Of which variant.
        seed: With which seed.
        place: Its folder.
        recipe: What is trained.
        fold: On which fold; None where there are no folds.
        needs: The folders of the runs that must be finished first.
        members: Whether it puts these together, and does not train.
        soup: Whether it averages their weights in the place of their predictions.
        state: waiting, training, finished, failed, interrupted or skipped.
        why: Why it failed or was skipped.
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
    def message(self) -> dict[str, Any]:
        """What a worker is told of it."""
        members = [str(run.resolve()) for run in self.needs] if self.members else []
        return {"recipe": self.recipe.to_dict(), "place": str(self.place), "members": members, "soup": self.soup}

    @property
    def row(self) -> dict[str, Any]:
        """What ``study.json`` says of it."""
        return {
            "variant": self.variant,
            "seed": self.seed,
            "fold": self.fold,
            "run": self.place.name,
            "state": self.state,
            "why": self.why,
        }
