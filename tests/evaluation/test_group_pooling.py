from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opsin.evaluation.group_pooling import group_labels, pool
from opsin.tasks.classification.predictions import Classifications


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=30))
def test_a_group_has_the_mean_of_the_probabilities_of_its_images(groups: list[str]) -> None:
    scores = np.random.default_rng(0).random((len(groups), 3)) + 0.01
    predictions = Classifications((scores / scores.sum(axis=1, keepdims=True)).astype(np.float32))
    names, pooled = pool(predictions, groups)
    assert names.tolist() == sorted(set(groups))
    for name, row in zip(names, pooled.probabilities, strict=True):
        inside = [one for one, group in zip(predictions.probabilities, groups, strict=True) if group == name]
        np.testing.assert_allclose(row, np.mean(inside, axis=0), rtol=1e-5)


def test_one_image_cannot_rule_out_what_all_others_say() -> None:
    _, pooled = pool(Classifications(np.array([[0.9, 0.1], [0.9, 0.1], [0, 1]], np.float32)), ["a"] * 3)
    assert pooled.labels.tolist() == [0]


def test_groups_of_one_class_have_a_label() -> None:
    assert group_labels(np.array([2, 0, 2, 1]), ["b", "a", "b", "c"]).tolist() == [0, 2, 1]
    assert group_labels(np.array([2, 0, 1, 1]), ["b", "a", "b", "c"]) is None
