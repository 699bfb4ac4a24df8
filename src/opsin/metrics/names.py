"""What every score is called and means, whichever task has it. One literal table, which needs no heavy import."""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    """A score as people read it.

    Attributes:
        title: At the head of a row.
        words: Within a sentence.
        meaning: What it is, in a few words.
        lower_is_better: Whether it is an error rather than a merit.
        part: Whether it lies between 0 and 1, so that it can be drawn on that scale.
    """

    title: str
    words: str
    meaning: str
    lower_is_better: bool = False
    part: bool = True


SCORES = {
    "accuracy": Score("Accuracy", "accuracy", "part of all images that are given the right class"),
    "group_accuracy": Score(
        "Accuracy by group",
        "group accuracy",
        "part of the groups (patients, slides) that the mean of their images' probabilities gives the right class",
    ),
    "balanced_accuracy": Score(
        "Balanced accuracy",
        "balanced accuracy",
        "mean of the recalls of all classes, so that a class with few images counts as much as one with many",
    ),
    "macro_f1": Score(
        "Macro F1",
        "macro F1",
        "mean over the classes of F1, which is high only where few images of a class are missed and few others are "
        "put into it",
    ),
    "roc_auc": Score(
        "ROC AUC",
        "ROC AUC",
        "how often an image of a class gets a higher probability of it than an image of another class; 0.5 is chance",
    ),
    "average_precision": Score(
        "Average precision",
        "average precision",
        "mean precision over all thresholds; chance is the part of the images that is of the class",
    ),
    "log_loss": Score(
        "Log loss",
        "log loss",
        "how far the probabilities are from the truth; 0 is perfect, confident mistakes cost most",
        lower_is_better=True,
        part=False,
    ),
    "dice": Score(
        "Dice",
        "Dice",
        "twice the overlap of predicted and true mask over the sum of their areas, mean over the images",
    ),
    "iou": Score("IoU", "IoU", "overlap of predicted and true mask over their union, mean over the images"),
    "mean_iou": Score(
        "Mean IoU",
        "mean IoU",
        "mean over the classes of the IoU of the pixels of all images, as in PASCAL VOC",
    ),
    "pixel_accuracy": Score("Pixel accuracy", "pixel accuracy", "part of all pixels that is given the right class"),
    "boundary_f": Score(
        "Boundary F-score",
        "boundary F-score",
        "how well the outlines agree to within two pixels: mean of precision and recall, mean over the images",
    ),
    "checkerboard": Score(
        "Checkerboard",
        "checkerboard score",
        "part of the variation of the probabilities that repeats every two pixels; 0 is none",
        lower_is_better=True,
    ),
    "calibration_error": Score(
        "Calibration error",
        "calibration error",
        "mean distance between the probability the model gives to its answer and how often it is right; 0 is perfect",
        lower_is_better=True,
    ),
    "map": Score(
        "mAP",
        "mAP",
        "mean over the labels of the average precision, which is high where images with a label are ranked first; "
        "chance is the part of the images that have it",
    ),
    "mean_auc": Score(
        "Mean ROC AUC",
        "mean ROC AUC",
        "mean over the labels of how often an image with the label is ranked above one without; 0.5 is chance",
    ),
    "exact_match": Score(
        "Exact match", "exact match", "part of the images that are given exactly their labels, no more and no fewer"
    ),
    "label_accuracy": Score(
        "Right labels", "right labels", "part of all decisions about a label of an image that are right"
    ),
    "mae": Score(
        "Mean absolute error",
        "MAE",
        "how far the predictions are off on average, in the unit of the data (MAE)",
        lower_is_better=True,
        part=False,
    ),
    "rmse": Score(
        "Root mean square error",
        "RMSE",
        "the same, with large errors counting more: the root of the mean squared error, in the unit of the data",
        lower_is_better=True,
        part=False,
    ),
    "r2": Score(
        "R²",
        "R²",
        "part of the variance of the true values that the predictions explain; always naming their mean explains 0",
        part=False,
    ),
}


# Scores of one class or label: title and meaning.
DETAILS = {
    "recall": ("Recall", "how many of its images are found"),
    "precision": ("Precision", "how many of the images put into it belong there"),
    "f1": ("F1", "high only where recall and precision both are"),
    "dice": ("Dice", "overlap with the true mask, mean over the images that show it"),
    "iou": ("IoU", "overlap over union, of all pixels of all images"),
    "boundary_f": ("Boundary F", "agreement of the outlines to within two pixels"),
    "auc": ("ROC AUC", "how often one of its images is ranked above another one; 0.5 is chance"),
    "average_precision": ("Average precision", "mean precision over all thresholds"),
}


def describe_score(name: str) -> Score:
    """Return what a score is called; one that no task of ours has is called by its name."""
    words = name.replace("_", " ")
    return SCORES.get(name, Score(words.capitalize(), words, ""))


COUNTED = ("accuracy", "exact_match")  # scores that are parts of the images, which people read in percent
