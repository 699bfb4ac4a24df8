from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from opsin.evaluation.verdict.attribution import looking_findings
from opsin.inspection.attribution_methods import attribute, border_share


def told(gradients, occlusion, area=0.34):
    shares = {"saliency": [0.9] * 12, "integrated_gradients": list(gradients), "occlusion": list(occlusion)}
    return {"border": {"width": 0.1, "area": area, "shares": shares}}


def around(mean, spread=0.1, number=12):
    """Shares with exactly this mean and standard deviation."""
    values = np.random.default_rng(0).normal(size=number)
    return mean + spread * (values - values.mean()) / values.std()


@pytest.mark.parametrize(
    ("gradients", "occlusion", "severity"), [(0.63, 0.45, "warning"), (0.50, 0.44, "note"), (0.80, 0.75, "warning")]
)
def test_the_margin_is_told_of_where_much_depends_on_it(gradients, occlusion, severity):
    (finding,) = looking_findings(told(around(gradients), around(occlusion)))
    assert (finding.kind, finding.severity) == ("looks-at-border", severity)
    assert f"hold {50 * (gradients + occlusion):.0f} % of the attribution" in finding.sentence
    assert "34 % of the area" in finding.sentence
    assert (
        f"{100 * gradients:.0f} % by integrated gradients and {100 * occlusion:.0f} % by occlusion" in finding.evidence
    )


@pytest.mark.parametrize(
    ("gradients", "occlusion"),
    [(around(0.33), around(0.31)), (around(0.41), around(0.41)), (around(0.5, 0.35), around(0.5, 0.35))],
    ids=["subject", "hardly more than its area", "images disagree"],
)
def test_no_alarm_without_a_clear_excess(gradients, occlusion):
    assert looking_findings(told(gradients, occlusion)) == []


def test_networks_that_were_not_examined_and_few_images_say_nothing():
    assert looking_findings({}) == []
    assert looking_findings(told([0.9, 0.9, 0.9], [0.9, 0.9, 0.9])) == []


class ReadsOneEdge(nn.Module):
    """Sees a ruler: its answer depends on the lowest rows of pixels alone."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.head = nn.Linear(rows * 32, 2)

    def forward(self, images):
        return self.head(images[:, 0, -self.rows :].flatten(1))


@pytest.mark.parametrize(("rows", "wanted"), [(3, {"looks-at-border"}), (32, set())], ids=["edge", "everything"])
def test_a_network_that_reads_one_edge_is_found_out(rows, wanted):
    torch.manual_seed(0)
    images = torch.randn(8, 1, 32, 32)
    maps = attribute(
        ReadsOneEdge(rows), images, torch.zeros(8, dtype=torch.int64), ["integrated_gradients", "occlusion"]
    )
    shares = {name: border_share(values) for name, values in maps.items()}
    area = shares["occlusion"][1]
    found = looking_findings(told(shares["integrated_gradients"][0], shares["occlusion"][0], area))
    assert {finding.kind for finding in found} == wanted
