import numpy as np
import pytest

from opsin.errors import RunError
from opsin.evaluation.comparison.pairing import pair_runs

LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = [f"{number}.png" for number in range(6)]


def certain(labels: np.ndarray, classes: int = 3) -> np.ndarray:
    return np.eye(classes)[labels] * 0.8 + 0.2 / classes


def test_images_are_matched_by_name_whatever_their_order(predicted_run) -> None:
    order = np.array([4, 0, 5, 2])
    first = predicted_run("a", LABELS, certain(LABELS))
    guesses = (LABELS[order] + 1) % 3
    second = predicted_run(
        "b", LABELS[order], certain(guesses), names=[NAMES[at] for at in order], digests=order.tolist()
    )
    paired = pair_runs([first, second], "test")
    assert paired.names == ["0.png", "2.png", "4.png", "5.png"] and paired.sizes == [6, 4]
    np.testing.assert_array_equal(paired.targets.values, [0, 2, 1, 2])
    np.testing.assert_array_equal(paired.predictions[0].labels, paired.targets.values)
    np.testing.assert_array_equal(paired.predictions[1].labels, (paired.targets.values + 1) % 3)
    np.testing.assert_array_equal(paired.rows, [[0, 2, 4, 5], [1, 3, 0, 2]])
    assert paired.groups is None


def test_classes_may_stand_in_another_order(predicted_run) -> None:
    first = predicted_run("a", LABELS, certain(LABELS))
    other = 2 - LABELS  # owl, dog, cat
    second = predicted_run("b", other, certain(other), classes=("owl", "dog", "cat"))
    paired = pair_runs([first, second], "test")
    np.testing.assert_array_equal(paired.predictions[1].labels, LABELS)


def test_a_moved_folder_is_recognized_by_its_pixels(predicted_run) -> None:
    first = predicted_run("a", LABELS, certain(LABELS))
    moved = [f"elsewhere/{name}" for name in NAMES]
    second = predicted_run("b", LABELS[::-1], certain(LABELS[::-1]), names=moved, digests=[5, 4, 3, 2, 1, 0])
    assert len(pair_runs([first, second], "test").targets) == 6
    other_size = predicted_run("c", LABELS, certain(LABELS), names=moved, size=16)
    with pytest.raises(RunError, match=r"a and .*c share no test images.*same split"):
        pair_runs([first, other_size], "test")


def test_names_that_occur_twice_are_matched_in_turn(predicted_run) -> None:
    names = ["x", "x", "y", "y", "y", "z"]
    runs = [predicted_run(name, LABELS, certain(LABELS), names=names) for name in "ab"]
    assert len(pair_runs(runs, "test").targets) == 6


def test_groups_that_any_run_knows_are_kept_together(predicted_run) -> None:
    plain = predicted_run("a", LABELS, certain(LABELS))
    grouped = predicted_run("b", LABELS, certain(LABELS), groups=["p", "p", "q", "q", "r", "r"])
    other = predicted_run("c", LABELS, certain(LABELS), groups=["s", "t", "t", "u", "v", "w"])
    assert pair_runs([plain, grouped], "test").groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert pair_runs([grouped, other], "test").groups.tolist() == [0, 0, 0, 0, 1, 1]


def test_what_cannot_be_compared_is_said_in_a_sentence(predicted_run) -> None:
    first = predicted_run("a", LABELS, certain(LABELS))
    with pytest.raises(RunError, match="knows the classes cat, dog, owl, .*b cat, dog, eel"):
        pair_runs([first, predicted_run("b", LABELS, certain(LABELS), classes=("cat", "dog", "eel"))], "test")
    swapped = LABELS[[1, 0, 2, 3, 4, 5]]
    with pytest.raises(RunError, match=r"0.png is cat in .*a and dog in .*c \(2 such images\)"):
        pair_runs([first, predicted_run("c", swapped, certain(swapped))], "test")
    changed = predicted_run("d", LABELS, certain(LABELS), digests=[0, 1, 2, 3, 4, 99])
    with pytest.raises(RunError, match=r"5.png has other pixels in .*a than in .*d \(1 such images\)"):
        pair_runs([first, changed], "test")
    with pytest.raises(RunError, match="no predictions for its validation split yet: opsin evaluate"):
        pair_runs([first], "validation")
    (first.path / "split.csv").write_text("image,class,split,group,digest\n", encoding="utf-8")
    with pytest.raises(RunError, match="split.csv has 0 test images, predictions-test.csv 6; .*opsin evaluate"):
        pair_runs([first], "test")
