"""Pictures that look odd beside the others: nearly black or white, blurred, of another size, grey among color."""

from __future__ import annotations

import numpy as np

from opsin.audit.context import AuditContext
from opsin.audit.finding import NOTE, WARNING, ImageFinding
from opsin.audit.image_statistics import BLANK, robust_scores

NEARLY_ALL = 0.95  # what more of the images have in common than this is the rule, and the others are the exceptions
OUTLYING = 3.5  # robust standard deviations (Iglewicz and Hoaglin 1993)
SHARPER = 4.0  # a blurred picture has so many times less detail than the middle one
TIMES = 2.0  # sides that are so many times longer or shorter than usual, or shapes so many times narrower
COLORFUL = 4.0  # grey levels between the channels of a pixel: below it a picture is grey
FEWEST = 20  # images that it takes to say what is usual


def find_blank(material: AuditContext) -> list[ImageFinding]:
    """Find pictures that are nearly black, nearly white or of one color all over."""
    measures = material.measures
    black, white = measures.dark >= BLANK, measures.light >= BLANK
    rows = np.flatnonzero(measures.blank)

    def look(row: int) -> str:
        return "nearly black" if black[row] else "nearly white" if white[row] else "one color all over"

    return material.about_images(
        "blank",
        WARNING,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} nearly black, nearly white or of one color all "
            "over."
        ),
        "Exclude them unless showing nothing is what their class means.",
        rows[np.argsort(measures.contrast[rows], kind="stable")],
        {row: look(row) for row in rows.tolist()},
    )


def find_blurred(material: AuditContext) -> list[ImageFinding]:
    """Find pictures with far less detail than the others, and than the others of their class.

    The measure is the variance of the Laplacian. A picture is reported if the logarithm of it lies more than 3.5 robust
    standard deviations below the median, and it is less than a quarter of the median, both among all images and in its
    class. Pictures that are blank are not reported again.
    """
    measures, labels = material.measures, material.dataset.strata
    shown = np.flatnonzero(~measures.blank)
    if len(shown) < FEWEST:
        return []
    detail = np.log(measures.detail[shown] + 1e-3)
    blurred = _far_below(detail)
    for label in np.unique(labels[shown]):
        members = np.flatnonzero(labels[shown] == label)
        if len(members) >= FEWEST:
            blurred[members] &= _far_below(detail[members])
    rows = shown[blurred]
    times = np.exp(np.median(detail) - detail[blurred])
    order = np.argsort(-times, kind="stable")
    return material.about_images(
        "blurred",
        NOTE,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} far less sharp than the others (variance of the "
            "Laplacian)."
        ),
        "Look at them: exclude those in which the class cannot be told.",
        rows[order],
        {int(row): f"{time:,.0f} times less detail than usual" for row, time in zip(rows, times, strict=True)},
    )


def _far_below(values: np.ndarray) -> np.ndarray:
    return (robust_scores(values) < -OUTLYING) & (values < np.median(values) - np.log(SHARPER))


def find_sizes(material: AuditContext) -> list[ImageFinding]:
    """Find images whose size or shape is unlike that of nearly all others.

    Where 95 % of the images or more have one size, all others are reported; elsewhere those whose sides are more than
    twice as long or less than half as long as usual, or whose shape is more than twice as narrow, and which are also
    outliers (3.5 robust standard deviations).
    """
    shapes = material.shapes[:, :2]
    if len(shapes) < FEWEST:
        return []
    sizes, codes, counts = np.unique(shapes, axis=0, return_inverse=True, return_counts=True)
    codes = codes.reshape(-1)
    common = int(counts.argmax())
    height, width = sizes[common].tolist()
    if counts[common] >= NEARLY_ALL * len(shapes):
        rows, usual = np.flatnonzero(codes != common), f"{height}×{width}"
    else:
        side, narrow = np.log(shapes.prod(axis=1)) / 2, np.abs(np.log(shapes[:, 0] / shapes[:, 1]))
        odd = [np.abs(robust_scores(value)) > OUTLYING for value in (side, narrow)]
        far = [np.abs(value - np.median(value)) > np.log(TIMES) for value in (side, narrow)]
        rows = np.flatnonzero((odd[0] & far[0]) | (odd[1] & far[1]))
        middle = np.median(shapes, axis=0).astype(int)
        usual = f"around {middle[0]}×{middle[1]}"
    return material.about_images(
        "size",
        NOTE,
        lambda number: (
            f"{number:,} {'image has' if number == 1 else 'images have'} a size or shape unlike the others, which are "
            f"{usual} (height × width)."
        ),
        "Make sure that they were not cut out, enlarged or saved in another way than the others: the network may learn "
        "that difference. --resize says how shapes are brought together.",
        rows,
        {int(row): f"{shapes[row, 0]}×{shapes[row, 1]}" for row in rows},
    )


def find_colors(material: AuditContext) -> list[ImageFinding]:
    """Find grey images where nearly all others have colors, and color images where nearly all others are grey.

    An image counts as grey if it is stored so or if its channels differ by less than 4 levels on average.
    """
    grey = material.shapes[:, 2] == 1
    if material.pixels.shape[3] == 3:
        grey |= material.measures.color < COLORFUL
    if len(grey) < FEWEST or NEARLY_ALL > grey.mean() > 1 - NEARLY_ALL:
        return []
    odd, others = ("grey", "have colors") if grey.mean() < 0.5 else ("in color", "are grey")
    return material.about_images(
        "color",
        NOTE,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} {odd}, while nearly all others {others}."
        ),
        "Make sure that they belong to the data and are of every class: the network may learn the difference.",
        np.flatnonzero(grey if grey.mean() < 0.5 else ~grey),
    )
