import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.reporting.figures import run as figures
from opsin.reporting.figures.style import figure_to_svg


def texts(figure) -> list[str]:
    figure.draw_without_rendering()
    return [artist.get_text() for artist in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def lines(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}


HISTORY = [
    {"epoch": 1, "learning_rate": 0.01, "train": {"loss": 1.0}, "validation": {"loss": 0.9, "accuracy": 0.5}},
    {"epoch": 2, "learning_rate": 0.02, "train": {"loss": 0.6}, "validation": {"loss": 0.7, "accuracy": 0.7}},
    {"epoch": 3, "learning_rate": 0.01, "train": {"loss": 0.4}, "validation": {"loss": 0.8, "accuracy": 0.6}},
]


def test_learning_curves_show_every_value_and_mark_the_kept_epoch():
    figure = figures.plot_learning_curves(HISTORY, best_epoch=2)
    loss, accuracy, rate = figure.axes
    assert lines(loss)["train"].tolist() == [1.0, 0.6, 0.4]
    assert lines(loss)["validation"].tolist() == [0.9, 0.7, 0.8]
    assert lines(loss)["kept: epoch 2"].tolist() == [0.7]
    assert "train" not in lines(accuracy)  # not measured, as with mixup
    assert list(rate.get_lines()[0].get_ydata()) == [0.01, 0.02, 0.01]
    assert loss.get_lines()[0].is_dashed() and not loss.get_lines()[1].is_dashed()


@pytest.mark.parametrize("epochs", [1, 2])
def test_learning_curves_of_very_short_runs_can_be_seen(epochs):
    figure = figures.plot_learning_curves(HISTORY[:epochs], best_epoch=1)
    assert all(line.get_marker() == "o" for line in figure.axes[0].get_lines()[:2])
    figure_to_svg(figure, "a", "")


def test_learning_curves_survive_values_that_are_no_numbers():
    broken = [*HISTORY, {"epoch": 4, "train": {"loss": float("nan")}, "validation": {}}]
    figure_to_svg(figures.plot_learning_curves(broken), "a", "")


def test_confusion_matrix_shows_every_count_but_zero():
    matrix = np.array([[50, 3, 0], [0, 41, 7], [12000, 0, 9]])
    found = texts(figures.plot_confusion_matrix(matrix, ["cat", "dog", "eel"]))
    assert {"50", "3", "41", "7", "9", "12k", "cat", "dog", "eel"} <= set(found)
    assert "0" not in found


def test_large_confusion_matrix_has_no_numbers_and_brings_confused_classes_together():
    classes = 40
    matrix = np.diag(np.full(classes, 90))
    for index in range(0, 20):
        matrix[index, index + 20] = matrix[index + 20, index] = 10
    order = figures.order_by_confusion(matrix).tolist()
    assert sorted(order) == list(range(classes))
    assert all(abs(order.index(index) - order.index(index + 20)) == 1 for index in range(20))
    found = texts(figures.plot_confusion_matrix(matrix, [f"class {index}" for index in range(classes)]))
    assert "90" not in found and "class 39" in found


def test_confusion_matrix_shows_counts_or_percent_of_the_row_in_either_order():
    matrix = np.array([[90, 0, 30], [0, 7, 0], [2, 0, 398]])
    parts = figures.plot_confusion_matrix(matrix, ["cat", "dog", "eel"], measure="parts", ordered=True)
    assert {"75", "25", "100", "0.5"} <= set(texts(parts)) and "398" not in texts(parts)
    names = [label.get_text() for label in parts.axes[0].get_yticklabels()]
    assert abs(names.index("cat") - names.index("eel")) == 1
    both = figure_to_svg(figures.plot_confusion_matrix(matrix, ["cat", "dog", "eel"], measure="both"), "a", "")
    assert both.count('class="live-counts"') == both.count('class="live-parts"') == 5


def test_large_confusion_matrix_can_show_counts():
    matrix = np.diag(np.arange(1, 31))
    parts, counts = (
        figures.plot_confusion_matrix(matrix, [str(index) for index in range(30)], measure=kind)
        for kind in ("parts", "counts")
    )
    strong, weak = (np.diagonal(figure.axes[0].images[0].get_array()[..., 3]) for figure in (parts, counts))
    assert np.all(strong == 1)
    assert weak.max() == 1 and weak.min() < 0.3


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_order_by_confusion_is_a_permutation(classes, seed):
    matrix = np.random.default_rng(seed).integers(0, 3, (classes, classes))
    assert sorted(figures.order_by_confusion(matrix)) == list(range(classes))


def test_reliability_leaves_empty_bins_out():
    confidence, accuracy = np.array([np.nan, 0.5, 0.9]), np.array([np.nan, 0.4, 0.95])
    bounds = np.array([[0.0, 1.0], [0.3, 0.5], [0.9, 0.99]])
    figure = figures.plot_reliability(confidence, accuracy, np.array([0, 10, 90]), bounds)
    above, below = figure.axes
    assert lines(above)["this model"].tolist() == [0.4, 0.95]
    assert [bar.get_height() for bar in below.patches] == [0, 10, 90]


def test_recalls_stand_weakest_first_with_their_counts():
    recalls, intervals = np.array([0.9, 0.5, np.nan]), np.array([[0.8, 0.95], [0.3, 0.7], [0.0, 1.0]])
    figure = figures.plot_recalls(["cat", "dog", "eel"], recalls, intervals, np.array([30, 1200, 0]))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["dog", "cat", "eel"]
    assert {"30", "1,200"} <= set(texts(figure))


def test_learning_rate_curve_marks_the_suggestion_and_is_not_flattened_by_the_divergence():
    rates = np.geomspace(1e-6, 1, 50)
    losses = np.where(rates < 0.05, 2.3 - np.sqrt(rates) * 4, 1e4)
    figure = figures.plot_learning_rate_curve(rates, losses, 0.0123)
    assert "suggested: 0.012" in texts(figure)
    assert figure.axes[0].get_ylim()[1] < 10


def test_learning_rate_curve_without_a_finite_loss_is_empty():
    figure = figures.plot_learning_rate_curve(np.array([0.1, 1.0]), np.array([np.nan, np.inf]), None)
    figure_to_svg(figure, "a", "")


def test_figures_of_one_class_and_one_image_can_be_drawn():
    figure_to_svg(figures.plot_confusion_matrix(np.array([[1]]), ["only"]), "a", "")
    figure_to_svg(figures.plot_recalls(["only"], np.array([1.0]), np.array([[0.2, 1.0]]), np.array([1])), "a", "")
    figure_to_svg(figures.plot_reliability(np.array([0.9]), np.array([1.0]), np.array([1])), "a", "")
