"""What the targets of any task can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Requirement(NamedTuple):
    """What training images there must be.

    Attributes:
        number: Of each class, so many.
        parts: The parts of the split that are still to be taken out of the training images.
        given: Whether the data come with a split.
    """

    number: int
    parts: tuple[str, ...]
    given: bool


class Targets(Protocol):
    """The form of a task's targets: an array with one entry for each image along its first axis.

    ``classes`` are the names of what the network puts out: of classes, of labels, or of the one value.

    Attributes:
        kind: What splits are stratified by.
    """

    kind: str

    def checked(self, name: str, labels: NDArray, classes: Sequence[str]) -> NDArray:
        """Return targets as they are kept, of the form's own dtype.

        Args:
            name: What the data set is called, for messages.
            labels: ``(N, ...)``.
            classes: Names of the outputs.

        Raises:
            DataError: They are not of this form.
        """

    def check_enough(self, name: str, labels: NDArray, classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that training images ``labels`` can be trained on and shared out.

        Raises:
            DataError: There is too little of something, which the message names.
        """

    def check_trained(self, name: str, labels: NDArray, classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that the images that are left to train on hold something of everything.

        Args:
            name: What the data set is called.
            labels: Of the images that are trained on.
            classes: Names of the outputs.
            part: The part of all training images that they are, where the recipe asks for a part.

        Raises:
            DataError: They do not.
        """

    def strata(self, labels: NDArray, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the kind of each image, int64 ``(N,)`` from 0; every part of a split holds as much of each kind."""

    def counts(self, labels: NDArray, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return how many images show each class, int64 ``(classes,)``; ``(0,)`` where there is nothing to count."""

    def kinds(self, labels: NDArray, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return what people sort the images by, each kind with its images (int64); an image may be of several."""

    def describe(self, labels: NDArray, classes: Sequence[str]) -> str:
        """Say in a few words what is learned: ``3 classes``, ``age from 0 to 90``."""

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """Write what is true of one image, as files and people have it."""

    def parse(self, text: str, classes: Sequence[str]) -> Any:
        """Read what `text` wrote.

        Raises:
            DataError: It means nothing here; the message, without a full stop, ends a sentence.
        """

    def reorder(self, labels: NDArray, order: Sequence[int]) -> NDArray:
        """Return targets as they are when the outputs stand in another order.

        Args:
            labels: ``(N, ...)``.
            order: Place in the new order -> place in the old one.
        """

    def translate(self, name: str, labels: NDArray, classes: Sequence[str], known: Sequence[str], run: str) -> NDArray:
        """Return targets of other data in terms of the outputs that a run knows.

        Args:
            name: What the data are called.
            labels: Their targets.
            classes: The names of their outputs.
            known: Those of the run.
            run: What the run is called.

        Raises:
            DataError: They hold what the run was not trained on.
        """
