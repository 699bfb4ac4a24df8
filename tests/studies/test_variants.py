from __future__ import annotations

from opsin.studies.variants import differing, inherit


def test_inheriting_leaves_the_parent_as_it_is():
    parent = {"network": {"name": "mlp", "options": {"widths": [8]}}, "training": {"epochs": 2}}
    child = inherit(parent, {"network": {"options": {"depth": 2}}})
    assert child["network"] == {"name": "mlp", "options": {"widths": [8], "depth": 2}}
    assert inherit(parent, {"network": {"name": "mlp"}})["network"]["options"] == {"widths": [8]}
    assert "options" not in inherit(parent, {"network": {"name": "vgg16"}})["network"]
    assert parent["network"]["options"] == {"widths": [8]}
    assert differing(parent, inherit(parent, {"network": {"name": "vgg16"}})) == {
        "network.name": "vgg16",
        "network.options.widths": None,
    }
