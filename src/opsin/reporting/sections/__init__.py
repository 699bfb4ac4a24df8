"""Sections that the reports of several tasks share; each task lists those it shows, with its own, in its ``report.py``.

To add one, write ``NAME.py`` here and ``templates/sections/NAME.html``, and a line below.
"""

from __future__ import annotations

from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import (
    attributions,
    data,
    domain_shift,
    embedding_map,
    first_layer,
    gallery,
    images,
    members,
    network,
    reproduce,
    scores,
    training,
    verdict,
)

VERDICT = Section("verdict", "Verdict", verdict.facts)
DATA = Section("data", "Data", data.facts)
IMAGES = Section("images", "Images", images.facts)
SCORES = Section("scores", "Scores", scores.facts)
MEMBERS = Section("members", "Members", members.facts)
DOMAIN_SHIFT = Section("domain_shift", "Domain shift", domain_shift.facts)
GALLERY = Section("gallery", "Gallery", gallery.facts)
ATTRIBUTIONS = Section("attributions", "Heat maps", attributions.facts)
EMBEDDING_MAP = Section("embedding_map", "Embedding map", embedding_map.facts)
TRAINING = Section("training", "Training", training.facts)
NETWORK = Section("network", "Network", network.facts)
FIRST_LAYER = Section("first_layer", "First-layer filters", first_layer.facts)
REPRODUCE = Section("reproduce", "Reproduce", reproduce.facts)

# The frame of every report; a task puts its own sections between them.
OPENING = (VERDICT, DATA, IMAGES, SCORES, MEMBERS)
CLOSING = (TRAINING, NETWORK, FIRST_LAYER, REPRODUCE)
