"""Likely label errors: images that a simple classifier, trained on the others, confidently puts into another class."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsin.audit.context import AuditContext
from opsin.audit.features import Features
from opsin.audit.finding import WARNING, ImageFinding
from opsin.data.splitting.split import join_groups
from opsin.tasks.registry import task_spec

FOLDS = 5
FEWEST = 10  # images of a class; smaller classes are skipped
REGULARIZATION = 5.0  # C of the logistic regression, for features whose variances sum to 1
STEPS = 300


def find_label_errors(material: AuditContext, features: Features) -> list[ImageFinding]:
    """Find likely label errors by confident learning (Northcutt, Jiang and Chuang 2021).

    A logistic regression on the features gives each image out-of-fold probabilities: five folds, stratified by class,
    that keep groups, duplicates and near-duplicates together. `rank_label_errors` then estimates how many labels are
    wrong, and which. Images whose label a person set or confirmed are not reported. Applies only to tasks in which each
    image has one class.
    """
    if not task_spec(material.dataset.task).exclusive:
        return []
    labels = material.dataset.strata[features.rows]
    known = np.bincount(labels, minlength=len(material.dataset.classes)) >= FEWEST
    places = np.flatnonzero(known[labels])
    groups = _groups(material)[features.rows[places]]
    if known.sum() < 2 or len(np.unique(groups)) < FOLDS or not features.values.shape[1]:
        return []
    values = features.values[places] / np.sqrt((features.spread.astype(np.float64) ** 2).sum())
    probabilities = _out_of_fold(values, labels[places], groups, len(known))
    guesses = probabilities.argmax(axis=1)
    agreement = float((guesses == labels[places]).mean())
    wrong = rank_label_errors(probabilities, labels[places])
    wrong = wrong[~material.label_reviewed[features.rows[places[wrong]]]]
    rows = features.rows[places[wrong]].tolist()
    suggested = [material.dataset.classes[label] for label in guesses[wrong]]
    sure = probabilities[wrong, guesses[wrong]].tolist()
    details = {
        row: f"labeled {material.label(row)}, predicted {guess} (probability {part:.2f})"
        for row, guess, part in zip(rows, suggested, sure, strict=True)
    }
    found = material.image_finding(
        "label-error",
        WARNING,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} likely mislabeled, according to a simple "
            f"classifier that had not seen {'it' if number == 1 else 'them'} and agrees with {100 * agreement:.0f} % "
            f"of all labels (confident learning on {features.source})."
        ),
        "Review them in this order: relabel what is wrong, keep what is right. Images that are merely hard to classify "
        "are among them.",
        rows,
        details,
    )
    names = {material.names[row]: guess for row, guess in zip(rows, suggested, strict=True)}
    return [replace(finding, suggestions={name: names[name] for name in finding.images}) for finding in found]


def rank_label_errors(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the likely label errors, the most likely first.

    Confident learning estimates their number: a class is confident if its probability is at least its mean probability
    among the images with that label. An image is counted if its most probable confident class is not its label. That
    many images are returned: those with the largest margin between the most probable class and the label.

    Args:
        probabilities: ``(M, C)``, from classifiers that were not trained on the image.
        labels: int64 ``(M,)``, the given labels.

    Returns:
        int64; indices into ``labels``.
    """
    rows, classes = np.arange(len(labels)), probabilities.shape[1]
    own = probabilities[rows, labels]
    counts = np.bincount(labels, minlength=classes)
    means = np.bincount(labels, own, minlength=classes) / np.maximum(counts, 1)
    confident = np.where((probabilities >= means) & (counts > 0), probabilities, -1)
    number = int(((confident.max(axis=1) >= 0) & (confident.argmax(axis=1) != labels)).sum())
    margins = probabilities.max(axis=1) - own
    order = np.argsort(-margins, kind="stable")[:number]
    result: NDArray[np.int64] = order[margins[order] > 0]
    return result


def _groups(material: AuditContext) -> NDArray[np.int64]:
    """Return a group number for each image; images of one group, duplicates and near-duplicates share one."""
    number = len(material.dataset)
    near = None if material.near is None else material.near.groups(number)
    return join_groups(number, material.dataset.groups, material.digests, near)


def _out_of_fold(
    values: NDArray[np.floating], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return the out-of-fold probabilities ``(M, classes)``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    probabilities = np.zeros((len(labels), classes))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes in fewer groups than folds, and solvers that did not converge
        for training, held_out in folds.split(values, labels, groups):
            if len(np.unique(labels[training])) < 2:
                continue
            model = LogisticRegression(C=REGULARIZATION, max_iter=STEPS)
            model.fit(values[training], labels[training])
            probabilities[np.ix_(held_out, model.classes_)] = model.predict_proba(values[held_out])
    return probabilities
