"""Scoring by the rules of ISIC 2017, part 3: melanoma and seborrheic keratosis in images of skin lesions.

Category 1 is the area under the ROC curve of melanoma against the rest, category 2 that of seborrheic keratosis against
the rest, category 3 their mean (Codella et al. 2018, IEEE International Symposium on Biomedical Imaging). Rows are
matched by their Id, never by their position.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from opsin.competitions.isic_files import match_rows, read_rows
from opsin.competitions.isic_scores import NAMES, PUBLISHED, Category, IsicScores
from opsin.errors import DataError
from opsin.metrics.thresholds import roc_auc_influence
from opsin.statistics.ranking_intervals import ranking_intervals
from opsin.workflow.report import report


def score_isic(
    predictions: str | Path, truth: str | Path, *, threshold: float = 0.5, any_order: bool = False
) -> IsicScores:
    """Score a file of predictions by the rules of ISIC 2017, part 3.

    Args:
        predictions: CSV with the columns ``Id,task_1,task_2``: the probabilities of melanoma and of seborrheic
            keratosis, one row per image of the truth, in the same order.
        truth: CSV with the same columns and values 0 or 1.
        threshold: A lesion is predicted melanoma if ``task_1`` is at least this, in [0, 1].
        any_order: Accept rows in any order. Rows are always matched by Id, but the challenge's own script uses the
            order and would silently compute a wrong score for a file in another order.

    Raises:
        DataError: A file is invalid; the message names file, line and Id.
    """
    if not 0 <= threshold <= 1:
        raise DataError(f"The threshold is a probability from 0 to 1, not {threshold:g}.")
    answers = read_rows(Path(truth))
    answers.check_truth()
    rows = match_rows(read_rows(Path(predictions)), answers, any_order=any_order)
    positives = answers.values == 1
    each, mean = ranking_intervals(roc_auc_influence, positives.T, rows.T, "DeLong")
    intervals = [*each, mean]
    categories = tuple(
        Category(number, name, score, 1 + sum(other > round(score.value, 3) for other in published))
        for number, (name, score, published) in enumerate(zip(NAMES, intervals, PUBLISHED, strict=True), 1)
    )
    lesions = np.where(positives[:, 0], 0, np.where(positives[:, 1], 1, 2)).astype(np.int64)
    return IsicScores(categories, threshold, lesions, rows)


@report.register
def _(result: IsicScores, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.competitions.isic_page import write_isic_page

    return write_isic_page(result, Path(path or "isic.html"))
