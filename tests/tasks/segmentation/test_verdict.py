from opsin.evaluation.verdict.order import headline
from opsin.recipe.recipe import flag_names
from opsin.tasks.segmentation.verdict import diagnose_masks


def entry(value, width=0.04, n=60):
    return {"value": value, "low": value - width / 2, "high": value + width / 2, "method": "BCa over images", "n": n}


def card(dice=0.85, checkerboard=0.0, width=0.04, **classes):
    scores = {"dice": entry(dice, width), "mean_iou": entry(0.75), "boundary_f": entry(0.7)}
    scores["checkerboard"] = entry(checkerboard, 0.002)
    return scores | {f"iou/{name}": entry(value) for name, value in classes.items()}


def kinds(test, validation=None):
    return [finding.kind for finding in diagnose_masks([], {"test": test, "validation": validation or test}, {})]


def test_nothing_wrong():
    found = diagnose_masks([], {"test": card()}, {})
    assert [finding.kind for finding in found] == ["healthy"]
    assert "test Dice is 0.850 (0.830–0.870)" in found[0].sentence
    assert headline(found, {"test": card()}).startswith("healthy")
    assert diagnose_masks([], {}, {}) == []


def test_what_is_found():
    assert kinds(card(dice=0.05)) == ["did-not-learn"]
    assert kinds(card(checkerboard=0.03)) == ["checkerboard"]
    assert kinds(card(checkerboard=0.009)) == ["healthy"]
    assert kinds(card(width=0.3)) == ["few-test-images"]
    assert kinds(card(dice=0.7), card(dice=0.85)) == ["validation-test-gap"]
    few = card()
    few["dice"]["n"] = 6
    assert kinds(few) == ["few-test-images"]
    grouped = card()
    grouped["dice"]["method"] = "cluster bootstrap, 9 groups: indicative"
    assert kinds(grouped) == ["few-groups", "healthy"]
    assert kinds(card(ground=0.9, rock=0.2, sand=0.7)) == ["weak-class"]


def test_an_unknown_dice_is_no_crash():
    scores = card()
    scores["dice"] |= {"value": None}
    assert kinds(scores) == ["did-not-learn"]


def test_advice_names_real_flags():
    flags = {f"--{name.replace('_', '-')}" for name in flag_names()} | {"--set", "--group"}
    test, validation = card(dice=0.5, checkerboard=0.05, width=0.3, rock=0.1), card(dice=0.9)
    history = [
        {"epoch": epoch, "train": {"loss": 1 / epoch}, "validation": {"loss": 0.5 + abs(epoch - 5) / 10}}
        for epoch in range(1, 16)
    ]
    found = diagnose_masks(history, {"test": test, "validation": validation}, {})
    assert {"overfitting", "weak-class", "checkerboard"} <= {finding.kind for finding in found}
    for finding in found:
        words = [word.strip("`(),.").split("=")[0] for word in finding.advice.split()]
        assert {word for word in words if word.startswith("--")} <= flags, finding


def test_classes_that_are_not_found_are_named_however_low_the_mean_is():
    test = card(dice=0.23, cat=0.3, cow=0.02, dog=0.01)
    test["mean_iou"] = entry(0.11)
    weak = [finding for finding in diagnose_masks([], {"test": test}, {}) if finding.kind == "weak-class"]
    assert ["dog" in weak[0].sentence, "cow" in weak[1].sentence, len(weak)] == [True, True, 2]
