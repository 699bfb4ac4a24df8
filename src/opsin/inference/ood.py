"""How unlike the training images an image is, told by what the network makes of it before its last layer decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from opsin.errors import RunError
from opsin.storage.safetensors import read_tensors, write_tensors

FALSE_ALARMS = 0.01  # part of ordinary images that may be called unlike
LARGEST = 2048  # features; of more, those that vary most
LEAST = 8  # validation images, below which no threshold is set
IMAGES, PER_CLASS = 2000, 20  # training images that are enough: 2,000, or 20 of each class


@dataclass(frozen=True)
class Unlikeness:
    """The distance from an image to the training images, and how far validation images are from them.

    The features of an image, scaled to length 1, are compared with the mean of each class under a covariance that the
    classes share; the distance is that to the nearest class (Lee et al. 2018, A Simple Unified Framework for Detecting
    Out-of-Distribution Samples; scaled as by Müller and Hein 2025, Mahalanobis++).

    Attributes:
        chosen: int64 ``(F,)``; which of the network's features are compared.
        whitening: float32 ``(F, F)``; what they are multiplied by so that their covariance becomes the identity.
        means: float32 ``(classes, F)``; of each class, whitened.
        threshold: The distance above which an image is called unlike.
        false_alarms: The part of images like the validation images that lies above it.
        n: Validation images that the threshold comes from.
    """

    chosen: NDArray[np.int64]
    whitening: NDArray[np.float32]
    means: NDArray[np.float32]
    threshold: float
    false_alarms: float
    n: int

    def score(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how unlike images are.

        Args:
            features: float ``(N, all features)``, what enters the last layer.

        Returns:
            float32 ``(N,)``, from 0; above 1 an image is called unlike.
        """
        return (self._distances(features) / self.threshold).astype(np.float32)

    def _distances(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        whitened = _unit(features, self.chosen) @ self.whitening
        result: NDArray[np.float64] = cdist(whitened, self.means).min(axis=1, initial=math.inf)
        return result

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        arrays = {"chosen": self.chosen, "whitening": self.whitening, "means": self.means}
        facts = {"threshold": self.threshold, "false_alarms": self.false_alarms, "n": self.n}
        write_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()}, facts)

    @classmethod
    def load(cls, path: Path) -> Unlikeness:
        """Read what `save` wrote.

        Raises:
            RunError: The file is missing or damaged.
        """
        tensors, facts = read_tensors(path)
        try:
            chosen, whitening, means = (tensors[name].numpy() for name in ("chosen", "whitening", "means"))
            return cls(
                chosen, whitening, means, float(facts["threshold"]), float(facts["false_alarms"]), int(facts["n"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path} is damaged ({error}); restore it from a copy or train a new run.") from None


def choose_images(labels: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose the training images that the means and the covariance are taken from: 2,000, or 20 of each class.

    Args:
        labels: int64 ``(M,)``, of all images.
        rows: int64 ``(N,)``, the training images.

    Returns:
        int64, sorted; some of ``rows``, of each class about as large a part.
    """
    shuffled = np.random.default_rng(0).permutation(rows)
    enough = max(IMAGES, PER_CLASS * len(np.unique(labels[rows])))
    # The images of a class are spread evenly over 0 to 1, so that the first of them hold as much of each class.
    order = np.argsort(labels[shuffled], kind="stable")
    counts = np.unique(labels[shuffled], return_counts=True)[1]
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    return np.sort(shuffled[order][np.argsort(place, kind="stable")[:enough]])


def fit_unlikeness(
    training: NDArray[np.floating], labels: NDArray[np.int64], validation: NDArray[np.floating]
) -> Unlikeness | None:
    """Learn what training images look like, and a threshold from validation images.

    The covariance is shrunk toward a multiple of the identity (Ledoit and Wolf 2004). The threshold is the distance
    that one in a hundred images like the validation images exceeds, in the finite-sample sense of conformal prediction:
    the ``ceil(0.99 (n + 1))``-th smallest of n distances. Below 99 validation images it is the largest of them, which
    one in n + 1 exceeds.

    Args:
        training: float ``(N, F)``, features of training images.
        labels: int64 ``(N,)``, their classes.
        validation: float ``(n, F)``.

    Returns:
        None where fewer than 8 validation images leave no meaning to a threshold, or the features do not vary.
    """
    from sklearn.covariance import ledoit_wolf

    spread = training.var(axis=0)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:LARGEST])
    n = len(validation)
    if n < LEAST or not spread.max(initial=0) > 0:
        return None
    unit = _unit(training, chosen)
    present, class_of = np.unique(labels, return_inverse=True)
    means = np.stack([unit[class_of == number].mean(axis=0) for number in range(len(present))])
    covariance, _ = ledoit_wolf(unit - means[class_of], assume_centered=True)
    scale = np.trace(covariance) / len(covariance)
    if not scale > 0:
        return None
    # Where L L' is the covariance, the length of (x - m) inv(L)' is the Mahalanobis distance from m to x.
    factor = np.linalg.cholesky(covariance + 1e-6 * scale * np.eye(len(covariance)))
    whitening = np.linalg.inv(factor).T.astype(np.float32)
    unscaled = Unlikeness(chosen, whitening, (means @ whitening).astype(np.float32), 1.0, 1.0, n)
    distances = np.sort(unscaled._distances(validation))
    rank = min(math.ceil((1 - FALSE_ALARMS) * (n + 1)), n)
    threshold = max(float(distances[rank - 1]), float(np.finfo(np.float32).tiny))
    return Unlikeness(chosen, whitening, unscaled.means, threshold, (n + 1 - rank) / (n + 1), n)


def _unit(features: NDArray[np.floating], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the chosen features, those of each image scaled to length 1."""
    some = features[:, chosen].astype(np.float64)
    length = np.linalg.norm(some, axis=1, keepdims=True)
    result: NDArray[np.float64] = some / np.maximum(length, np.finfo(np.float32).tiny)
    return result
