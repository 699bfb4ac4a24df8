"""Images unlike the others in quality or format: blank, blurred, of another size, grey among color."""

from __future__ import annotations

import numpy as np

from opsin.audit.context import AuditContext
from opsin.audit.finding import NOTE, WARNING, ImageFinding
from opsin.audit.image_statistics import BLANK, robust_scores

NEARLY_ALL = 0.95  # of the images; a property shared by at least this fraction is the rule
OUTLYING = 3.5  # robust standard deviations (Iglewicz and Hoaglin 1993)
SHARPER = 4.0  # factor by which a blurred image has less detail than the median
TIMES = 2.0  # factor by which a side or an aspect ratio differs from the median
COLORFUL = 4.0  # grey levels between the channels of a pixel; an image below it is grey
FEWEST = 20  # images needed to say what is usual


def find_blank(material: AuditContext) -> list[ImageFinding]:
    """Find images that are nearly black, nearly white or of one color all over."""
    measures = material.measures
    black, white = measures.dark >= BLANK, measures.light >= BLANK
    rows = np.flatnonzero(measures.blank)

    def look(row: int) -> str:
        return "nearly black" if black[row] else "nearly white" if white[row] else "one color all over"

    return material.image_finding(
        "blank",
        WARNING,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} nearly black, nearly white or of one color all "
            "over."
        ),
        "Exclude them, unless an empty image is what their class means.",
        rows[np.argsort(measures.contrast[rows], kind="stable")],
        {row: look(row) for row in rows.tolist()},
    )


def find_blurred(material: AuditContext) -> list[ImageFinding]:
    """Find images with far less detail than the others and than the others of their class.

    The measure is the variance of the Laplacian. An image is reported if the logarithm of that variance lies more than
    3.5 robust standard deviations below the median and the variance is less than a quarter of the median, both among
    all images and in its class. Blank images are not reported again.
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
    return material.image_finding(
        "blurred",
        NOTE,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} far less sharp than the others (variance of the "
            "Laplacian)."
        ),
        "Exclude those in which the class cannot be recognized.",
        rows[order],
        {int(row): f"{time:,.0f} times less detail than usual" for row, time in zip(rows, times, strict=True)},
    )


def _far_below(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = (robust_scores(values) < -OUTLYING) & (values < np.median(values) - np.log(SHARPER))
    return result


def find_sizes(material: AuditContext) -> list[ImageFinding]:
    """Find images of an unusual size or shape.

    If at least 95 % of the images have one size, all others are reported. Otherwise, images are reported whose size or
    aspect ratio differs from the median by more than a factor of two and by more than 3.5 robust standard deviations.
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
    return material.image_finding(
        "size",
        NOTE,
        lambda number: (
            f"{number:,} {'image differs' if number == 1 else 'images differ'} in size or shape from the others, which "
            f"are {usual} (height × width)."
        ),
        "Check that they were not cropped, enlarged or saved differently from the others: the network may learn that "
        "difference. --resize sets how images of different shapes are brought to one size.",
        rows,
        {int(row): f"{shapes[row, 0]}×{shapes[row, 1]}" for row in rows},
    )


def find_colors(material: AuditContext) -> list[ImageFinding]:
    """Find grey images among nearly only color images, and color images among nearly only grey ones.

    An image is grey if it is stored as grey, or if its channels differ by less than 4 levels on average.
    """
    grey = material.shapes[:, 2] == 1
    if material.pixels.shape[3] == 3:
        grey |= material.measures.color < COLORFUL
    if len(grey) < FEWEST or NEARLY_ALL > grey.mean() > 1 - NEARLY_ALL:
        return []
    odd, others = ("grey", "are in color") if grey.mean() < 0.5 else ("in color", "are grey")
    return material.image_finding(
        "color",
        NOTE,
        lambda number: (
            f"{number:,} {'image is' if number == 1 else 'images are'} {odd}, while nearly all others {others}."
        ),
        "Check that they belong to the data and occur in every class: the network may learn the difference.",
        np.flatnonzero(grey if grey.mean() < 0.5 else ~grey),
    )
