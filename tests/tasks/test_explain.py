from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin.tasks.classification.explain import explain_classes
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.multilabel.explain import explain_labels
from opsin.tasks.multilabel.predictions import LabelSets
from opsin.tasks.regression.explain import explain_values
from opsin.tasks.regression.predictions import Values

SHAPE = (6, 4)


def test_the_predicted_class_is_explained_and_the_true_one_where_it_differs():
    chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]], np.float32)
    found = explain_classes(np.array([0, 1, 1]), Classifications(chances), np.array([2, 1, 0]))
    assert found.tolist() == [[1, -1], [2, 1], [0, -1]]


@given(
    arrays(np.bool_, SHAPE),
    arrays(np.bool_, SHAPE),
    arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)),
    st.permutations(range(6)),
)
def test_the_worst_label_is_explained_first_and_the_surest_right_one_beside_it(truth, given, chances, rows):
    found = explain_labels(truth, LabelSets(chances, given), np.array(rows))
    for (first, second), row in zip(found.tolist(), rows, strict=True):
        wrong = np.flatnonzero(truth[row] != given[row])
        right = np.flatnonzero(truth[row] & given[row])
        if len(wrong):
            off = np.abs(chances[row] - truth[row])
            assert first in wrong and off[first] == off[wrong].max()
            assert (
                second == -1 if not len(right) else second in right and chances[row, second] == max(chances[row, right])
            )
        else:
            among = right if len(right) else np.arange(SHAPE[1])
            assert first in among and chances[row, first] == chances[row, among].max() and second == -1


def test_a_number_is_explained_alone():
    found = explain_values(np.zeros(3), Values(np.zeros(3, np.float32)), np.array([2, 0]))
    assert found.tolist() == [[0, -1], [0, -1]]
