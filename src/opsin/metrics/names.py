"""Names and meanings of all scores, whichever task has them: one literal table without heavy imports."""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    """Name, meaning and direction of a score.

    Attributes:
        title: Row title in a table.
        words: Name within a sentence.
        meaning: Definition in one phrase.
        lower_is_better: Whether it measures error.
        part: Whether it lies between 0 and 1, so that plots can use that scale.
    """

    title: str
    words: str
    meaning: str
    lower_is_better: bool = False
    part: bool = True


SCORES = {
    "accuracy": Score("Accuracy", "accuracy", "fraction of images classified correctly"),
    "group_accuracy": Score(
        "Accuracy by group",
        "group accuracy",
        "fraction of groups (patients, slides) classified correctly by the mean probabilities of their images",
    ),
    "balanced_accuracy": Score(
        "Balanced accuracy",
        "balanced accuracy",
        "mean recall over the classes; each class counts equally, whatever its number of images",
    ),
    "macro_f1": Score(
        "Macro F1",
        "macro F1",
        "mean over the classes of F1, the harmonic mean of precision and recall",
    ),
    "roc_auc": Score(
        "ROC AUC",
        "ROC AUC",
        "area under the ROC curve; the probability that a random image of the class is ranked above one of another "
        "class; 0.5 is chance",
    ),
    "average_precision": Score(
        "Average precision",
        "average precision",
        "area under the precision-recall curve; chance is the fraction of images of the class",
    ),
    "log_loss": Score(
        "Log loss",
        "log loss",
        "mean negative log-likelihood of the true class; 0 is perfect, confident mistakes cost most",
        lower_is_better=True,
        part=False,
    ),
    "dice": Score(
        "Dice",
        "Dice",
        "twice the intersection of the predicted and the true mask over the sum of their areas, mean over the images",
    ),
    "iou": Score("IoU", "IoU", "intersection over union of the predicted and the true mask, mean over the images"),
    "mean_iou": Score(
        "Mean IoU",
        "mean IoU",
        "mean over the classes of the IoU computed from the pixels of all images, as in PASCAL VOC",
    ),
    "pixel_accuracy": Score("Pixel accuracy", "pixel accuracy", "fraction of pixels classified correctly"),
    "boundary_f": Score(
        "Boundary F-score",
        "boundary F-score",
        "harmonic mean of precision and recall of the boundary pixels, with a tolerance of two pixels, mean over the "
        "images",
    ),
    "checkerboard": Score(
        "Checkerboard",
        "checkerboard score",
        "fraction of the variance of the probability map with a period of two pixels (upsampling artifacts); 0 is none",
        lower_is_better=True,
    ),
    "calibration_error": Score(
        "Calibration error",
        "calibration error",
        "expected calibration error: mean absolute difference between confidence and accuracy; 0 is perfect",
        lower_is_better=True,
    ),
    "map": Score(
        "mAP",
        "mAP",
        "mean average precision over the labels; chance is the fraction of images that have the label",
    ),
    "mean_auc": Score(
        "Mean ROC AUC",
        "mean ROC AUC",
        "mean over the labels of the area under the ROC curve; 0.5 is chance",
    ),
    "exact_match": Score(
        "Exact match",
        "exact match",
        "fraction of images whose set of labels is predicted exactly (subset accuracy)",
    ),
    "label_accuracy": Score(
        "Label accuracy",
        "label accuracy",
        "fraction of all pairs of image and label predicted correctly (1 minus the Hamming loss)",
    ),
    "mae": Score(
        "Mean absolute error",
        "MAE",
        "mean absolute difference between prediction and target, in the unit of the target (MAE)",
        lower_is_better=True,
        part=False,
    ),
    "rmse": Score(
        "Root mean square error",
        "RMSE",
        "square root of the mean squared error, in the unit of the target (RMSE); more sensitive to large errors",
        lower_is_better=True,
        part=False,
    ),
    "r2": Score(
        "R²",
        "R²",
        "coefficient of determination: fraction of the variance of the targets explained; 0 for always predicting "
        "their mean",
        part=False,
    ),
}


# Scores of one class or label: title and meaning.
DETAILS = {
    "recall": ("Recall", "fraction of the images of the class that are found"),
    "precision": ("Precision", "fraction of the images predicted as the class that belong to it"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "dice": ("Dice", "overlap with the true mask, mean over the images that contain the class"),
    "iou": ("IoU", "intersection over union of the pixels of all images"),
    "boundary_f": ("Boundary F", "agreement of the boundaries, with a tolerance of two pixels"),
    "auc": (
        "ROC AUC",
        "probability that a random image of the class is ranked above one of another class; 0.5 is chance",
    ),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
}


def describe_score(name: str) -> Score:
    """Return the name and meaning of a score; a score not in the table is described by its key."""
    words = name.replace("_", " ")
    return SCORES.get(name, Score(words.capitalize(), words, ""))


COUNTED = ("accuracy", "exact_match")  # fractions of images, shown in percent
