"""The sections of a report: ``NAME.py`` says what one shows, ``templates/sections/NAME.html`` how.

To add one, write these two files and one line of `SECTIONS`. The template sees the keys of the facts and
``anonymous``, and takes ``icon`` and ``measured`` from ``macros.html``; the page puts ``<section id="NAME">`` around
it. ``NAME.css`` and ``NAME.js`` beside it, where there are any, are joined into the page; without the script the
section must be complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from opsin.reporting.run_report.page import Page
from opsin.reporting.sections import attributions as looking
from opsin.reporting.sections import data, gallery, images, members, network, reproduce, scores, training, verdict
from opsin.reporting.sections import domain_shift as elsewhere
from opsin.reporting.sections import embedding_map as alike
from opsin.reporting.sections import first_layer as filters
from opsin.tasks.classification import section_calibration as calibration
from opsin.tasks.classification import section_classes as classes
from opsin.tasks.classification import section_confusion as confusion
from opsin.tasks.classification import section_groups as groups
from opsin.tasks.classification import section_selective as abstaining
from opsin.tasks.classification import section_thresholds as thresholds
from opsin.tasks.multilabel import section_labels as labels
from opsin.tasks.regression import section_estimates as estimates
from opsin.tasks.segmentation import section_masks as masks
from opsin.tasks.segmentation import section_pixels as pixels


class Section(NamedTuple):
    """One section of the report.

    Attributes:
        anchor: Its name: of the module, of the template, and of the place in the page.
        title: What the navigation calls it.
        facts: Gives what the template shows; None leaves the section out.
    """

    anchor: str
    title: str
    facts: Callable[[Page], dict[str, Any] | None]


# In the order of the page.
SECTIONS = (
    Section("verdict", "Verdict", verdict.facts),
    Section("data", "Data", data.facts),
    Section("images", "Images", images.facts),
    Section("scores", "Scores", scores.facts),
    Section("members", "Members", members.facts),
    Section("classes", "Classes", classes.facts),
    Section("confusion", "Confusion matrix", confusion.facts),
    Section("labels", "Labels", labels.facts),
    Section("estimates", "Predictions", estimates.facts),
    Section("pixels", "Pixels", pixels.facts),
    Section("groups", "Groups", groups.facts),
    Section("calibration", "Calibration", calibration.facts),
    Section("thresholds", "Thresholds", thresholds.facts),
    Section("abstaining", "Selective prediction", abstaining.facts),
    Section("elsewhere", "Domain shift", elsewhere.facts),
    Section("gallery", "Gallery", gallery.facts),
    Section("masks", "Masks", masks.facts),
    Section("looking", "Heat maps", looking.facts),
    Section("alike", "Embedding map", alike.facts),
    Section("training", "Training", training.facts),
    Section("network", "Network", network.facts),
    Section("filters", "First-layer filters", filters.facts),
    Section("reproduce", "Reproduce", reproduce.facts),
)
