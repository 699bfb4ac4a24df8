"""Estimated accuracy of a run on images without labels: `opsin.estimate_accuracy`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError, RunError, nearest
from opsin.inspection.domain_shift import ANSWERS_FILE, COVERAGE, Answers, EstimatedAccuracy, estimate_from_answers
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.registry import task_spec
from opsin.workflow.run import Run

FEWEST = 30  # images of which a share says something
FAR = 0.05  # from home, from which on the overlap or the confidence is told to be another


@dataclass(frozen=True)
class Forecast:
    """What to expect of a run on images without labels.

    Attributes:
        accuracy: The accuracy to expect, with what it was told by.
        answers: Class -> part of the images that it is the answer for.
        shares: Class -> part of the images that are of it, as far as that is known.
        given: Whether these shares were given; else they are those of the run's own validation images.
        images: How many were answered.
        unlike: How many are unlike the training images; None where the run does not know.
        left_out: Images that could not be read, with the reasons.
    """

    accuracy: EstimatedAccuracy
    answers: dict[str, float]
    shares: dict[str, float]
    given: bool
    images: int
    unlike: int | None
    left_out: dict[str, str]

    @property
    def sentence(self) -> str:
        """What to expect, in a few sentences."""
        told = self.accuracy
        said = (
            f"Expect about {told.expected:.0%} of these {self.images:,} answers to be right ({told.low:.0%} to "
            f"{told.high:.0%}, where {COVERAGE:.0%} of simulated laboratories lie)."
        )
        if told.beyond:
            said += " Fewer seem to be right than in any of the laboratories, so that this is a guess."
        if told.overlap < told.home_overlap - FAR:
            whose = "as given" if self.given else "as in the run's own images"
            said += f" No more than about {told.overlap:.0%} can be right if the classes are shared {whose}."
            if told.confidence > told.home_confidence - FAR:
                said += " As the network is about as sure as at home, they may rather be shared otherwise."
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {**asdict(self), "sentence": self.sentence}


def estimate_accuracy(
    run: Run | str | Path,
    images: Sequence[str | Path | NDArray[np.uint8]],
    *,
    shares: Mapping[str, float] | None = None,
    skip_unreadable: bool = False,
) -> Forecast:
    """Estimate how many images without labels a run will classify right; see `estimate_from_answers` for how.

    Args:
        run: A classifier that was inspected, as is done at the end of training, or its folder.
        images: Paths, or uint8 arrays ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``; 30 or more.
        shares: Class -> how common it is among images of this kind, of any sum; a class left out is not there. Numbers
            that add up to the number of images are taken for counts of these very images. Left out altogether: as
            common as in the run's own images.
        skip_unreadable: Leave out images that cannot be read.

    Raises:
        DataError: There are too few images, one cannot be read, or a share is wrong.
        RunError: The run is no classifier, or was not inspected.
    """
    run = run if isinstance(run, Run) else Run(run)
    if not task_spec(run.folder.task).exclusive:
        raise RunError(f"{run.path} is a run of {run.folder.task}; accuracy can be estimated only for classification.")
    home = _read_answers(run.folder)
    classes = run.folder.classes
    known = np.bincount(home.labels, minlength=len(classes))
    common = known if shares is None else _weights(shares, classes)
    if not common[known > 0].any():
        raise DataError("Of the classes with a share none was among the validation images, so that nothing is known.")
    found = run.predictor.predict(images, skip_unreadable=skip_unreadable)
    if len(found.names) < FEWEST:
        raise DataError(f"{len(found.names)} images are too few to estimate accuracy from; give {FEWEST} or more.")
    answered = found.predictions
    assert isinstance(answered, Classifications)  # as exactly one class is true
    exact = shares is not None and math.isclose(common.sum(), len(answered))
    counts = np.bincount(answered.labels, minlength=len(classes))
    return Forecast(
        estimate_from_answers(home, answered.labels, answered.confidence, common, exact=exact),
        _parts(classes, counts),
        _parts(classes, common),
        shares is not None,
        len(found.names),
        None if found.unlike is None else int((found.unlike > 1).sum()),
        found.left_out,
    )


def _read_answers(folder: RunFolder) -> Answers:
    if not (folder.path / ANSWERS_FILE).exists():
        raise RunError(
            f"{folder.path} was not inspected, or by an older version: opsin inspect {folder.path} --only robustness"
        )
    return Answers(**folder.arrays(ANSWERS_FILE, "predicted", "confidence", "labels"))


def _weights(shares: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of each class, of any sum.

    Raises:
        DataError: A class is unknown, or a share is no number from 0 on, or all are 0.
    """
    for name, share in shares.items():
        if name not in classes:
            raise DataError(f"There is no class '{name}'{nearest(name, classes)}; there are {', '.join(classes)}.")
        if not (np.isfinite(share) and share >= 0):
            raise DataError(f"The share of '{name}' must be a number from 0 on, not {share}.")
    weights = np.array([shares.get(name, 0.0) for name in classes], np.float64)
    if not weights.sum() > 0:
        raise DataError("All shares are 0; give how common the classes are.")
    return weights


def _parts(classes: Sequence[str], counts: NDArray[Any]) -> dict[str, float]:
    return dict(zip(classes, (counts / counts.sum()).tolist(), strict=True))
