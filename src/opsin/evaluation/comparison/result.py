"""Results of a comparison, plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.comparison.differences import Difference
from opsin.evaluation.verdict.finding import Finding, capitalized, score_words

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Compared:
    """A recipe and its runs, which differ only in their seeds.

    Attributes:
        name: Name of its run, or the common prefix of the names of its runs.
        runs: The run folders.
        seeds: The seed of each.
        scores: Score -> float64 ``(runs,)``, on the shared images.
        bounds: Score -> 95 % interval of its mean, for new images and new seeds; empty for a single run.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]
    scores: dict[str, NDArray[np.float64]]
    bounds: dict[str, tuple[float, float]]

    def mean(self, score: str) -> float:
        """Return the mean of a score over the seeds."""
        return float(self.scores[score].mean())

    def deviation(self, score: str) -> float | None:
        """Return the standard deviation of a score between the seeds; None for a single run."""
        return float(self.scores[score].std(ddof=1)) if len(self.runs) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        scores = {
            name: {
                "mean": self.mean(name),
                "deviation": self.deviation(name),
                "interval": list(self.bounds[name]) if name in self.bounds else None,
                "values": values.tolist(),
            }
            for name, values in self.scores.items()
        }
        return {"name": self.name, "runs": [str(run) for run in self.runs], "seeds": list(self.seeds), "scores": scores}


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison of runs.

    Attributes:
        recipes: The compared recipes.
        split: Split that was scored: "test" or "validation".
        score: The deciding score.
        images: Number of images that all runs share.
        groups: Number of groups they come from; None if every image is independent.
        differences: Of each pair of recipes and each score.
        sentence: Which recipe is better, or that there is no significant difference, in one sentence or a few.
        findings: Recipes that are unstable across their seeds.
        notes: Caveats, one sentence each.
        keys: Key of the recipe -> its value in each recipe, for the keys that differ; None: not set.
        remark: A sentence on scores that are not compared; may be empty.
    """

    recipes: tuple[Compared, ...]
    split: str
    score: str
    images: int
    groups: int | None
    differences: tuple[Difference, ...]
    sentence: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    keys: dict[str, tuple[Any, ...]]
    remark: str = ""

    @property
    def runs(self) -> tuple[Path, ...]:
        """All run folders, recipe by recipe."""
        return tuple(run for recipe in self.recipes for run in recipe.runs)

    @property
    def methods(self) -> list[str]:
        """The statistical methods, one sentence each."""
        ways: dict[tuple[str, str], list[str]] = {}
        for each in self.differences:
            scores = ways.setdefault((each.test, each.method), [])
            if each.score not in scores:
                scores.append(each.score)
        units = "" if self.groups is None else f" from {self.groups:,} groups"
        pairs = len({(each.first, each.second) for each in self.differences})
        found = [f"All runs were compared on the same {self.images:,} {self.split} images{units}."]
        if not pairs:
            return found
        for (test, method), scores in ways.items():
            named = capitalized(", ".join(map(score_words, scores)))
            found.append(f"{named}: p by {test}; interval by {method}.")
        found += [self.remark] if self.remark else []
        if pairs > 1:
            found.append(f"The p-values of each score are corrected for {pairs} pairs by Holm's method.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        named = [
            each.to_dict()
            | {
                "first": self.recipes[each.first].name,
                "second": self.recipes[each.second].name,
                "better": None if each.better is None else self.recipes[each.better].name,
            }
            for each in self.differences
        ]
        return {
            "sentence": self.sentence,
            "split": self.split,
            "score": self.score,
            "images": self.images,
            "groups": self.groups,
            "recipes": [recipe.to_dict() for recipe in self.recipes],
            "differences": named,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
            "methods": self.methods,
            "keys": {key: list(values) for key, values in self.keys.items()},
        }
