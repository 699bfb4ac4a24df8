from __future__ import annotations

import numpy as np
import pytest

from opsin.evaluation.verdict.order import headline
from opsin.statistics.serialize import to_json
from opsin.tasks.regression.predictions import Values
from opsin.tasks.regression.scorecard import score
from opsin.tasks.regression.verdict import diagnose_regression

GENERATOR = np.random.default_rng(0)
VALUES = GENERATOR.uniform(0, 100, 400)
NOISE = GENERATOR.normal(0, 4, 400)
KNOWN = {"mean": 50.0, "deviation": 29.0, "absolute_deviation": 25.0}


def curve(train, validation, loss=(0.2, 0.2), epochs=6):
    """A history that ends at given errors and losses."""
    losses = [np.geomspace(1, end, epochs) for end in loss]
    return [
        {
            "epoch": at + 1,
            "train": {"loss": losses[0][at], "mae": train + 20 * 0.4**at},
            "validation": {"loss": losses[1][at], "mae": validation + 20 * 0.4**at},
        }
        for at in range(epochs)
    ]


def verdict(predicted, history=None, values=VALUES, groups=None, validation=None, known=KNOWN, attributions=None):
    predictions = Values(np.asarray(predicted, np.float32))
    card = {"test": to_json(score(predictions, values, ("age",), groups))}
    if validation is not None:
        card["validation"] = to_json(score(Values(np.asarray(validation, np.float32)), values, ("age",)))
    found = diagnose_regression(
        history or curve(3.0, 3.2), card, {}, known, values, predictions, attributions=attributions
    )
    return {finding.kind: finding for finding in found}, headline(found, card)


def test_a_good_run_is_healthy():
    found, words = verdict(VALUES + NOISE)
    assert set(found) == {"healthy"} and words == "healthy"
    assert "error is 3." in found["healthy"].sentence


def test_naming_the_mean_is_no_learning():
    found, words = verdict(50 + NOISE)
    assert found["no-better-than-mean"].severity == "serious"
    assert words.startswith("it is no better than predicting the mean")
    naming = np.abs(VALUES - 50).mean()
    assert f"that of the mean is {naming:.2f}" in found["no-better-than-mean"].sentence


def test_ends_drawn_to_the_middle_are_named_with_their_numbers():
    found, _ = verdict(50 + 0.6 * (VALUES - 50) + NOISE)
    assert "largest values" in found["shrunk"].sentence and "smallest" in found["shrunk"].sentence
    slope = np.polyfit(VALUES, 50 + 0.6 * (VALUES - 50) + NOISE, 1)[0]
    assert f"slope of predicted against true values is {slope:.3f}" in found["shrunk"].evidence


def test_predictions_off_to_one_side_are_named():
    found, _ = verdict(VALUES + NOISE + 6)
    assert "too large on average" in found["biased"].sentence
    assert "too small on average" in verdict(VALUES + NOISE - 6)[0]["biased"].sentence


def test_overfitting_is_told_by_errors_and_by_losses():
    gap, _ = verdict(VALUES + NOISE, curve(1.0, 4.0))
    assert gap["overfitting"].severity == "warning" and "than on new ones" in gap["overfitting"].sentence
    rows = curve(1.0, 1.1, (0.01, 0.2), 10)
    for at in range(4, 10):
        rows[at]["validation"]["loss"] = 0.3 + 0.1 * at
    rise, _ = verdict(VALUES + NOISE, rows)
    assert "Validation loss has risen" in rise["overfitting"].sentence


def test_underfitting_is_told_by_the_error_in_training():
    found, _ = verdict(50 + 0.3 * (VALUES - 50) + NOISE, curve(22.0, 22.0))
    assert "predicting the mean gives 25.00" in found["underfitting"].sentence


def test_few_images_and_groups_are_said():
    few, _ = verdict((VALUES + 4 * NOISE)[:12], values=VALUES[:12])
    assert "With 12 test images" in few["few-test-images"].sentence
    grouped, _ = verdict(VALUES + NOISE, groups=np.arange(400) % 8)
    assert "only 8 groups" in grouped["few-groups"].sentence and "healthy" in grouped


@pytest.mark.parametrize("worse", [True, False])
def test_a_gap_between_validation_and_test_is_said(worse):
    one, other = VALUES + 3 * NOISE, VALUES + NOISE
    found, _ = verdict(*((one,) if worse else (other,)), validation=other if worse else one)
    assert f"error is {'higher' if worse else 'lower'} on test" in found["validation-test-gap"].sentence
    assert found["validation-test-gap"].severity == ("warning" if worse else "note")


def test_a_good_score_on_few_images_is_learning():
    values = np.array([10.0, 50.0, 52.0, 55.0])
    found, _ = verdict(values + np.array([3, -4, 12, -9]), values=values)
    assert "no-better-than-mean" not in found and "few-test-images" in found


def test_a_network_that_looks_at_the_margin_is_told():
    shares = {"integrated_gradients": [0.7, 0.72, 0.69, 0.71], "occlusion": [0.7, 0.71, 0.7, 0.69]}
    looked = {"border": {"width": 0.1, "area": 0.35, "shares": shares}}
    found, _ = verdict(VALUES + NOISE, attributions=looked)
    assert set(found) == {"looks-at-border"} and "70 % of the attribution" in found["looks-at-border"].sentence
