import json
import math

import numpy as np
import pytest
from scipy import stats

import opsin
from opsin.data.targets import ClassTargets
from opsin.errors import RunError
from opsin.evaluation.comparison.differences import measure
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.comparison.result import Comparison
from opsin.evaluation.task import evaluation_of
from opsin.statistics import paired_tests
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score
from opsin.tasks.registry import task_spec


def outputs(
    labels: np.ndarray, strength: float, seed: int, shared: int | np.ndarray = 0, weight: float = 0.7
) -> np.ndarray:
    """Probabilities ``(N, 3)`` of a network; those of one ``shared`` find the same images difficult."""
    n = len(labels)
    difficulty = np.random.default_rng(shared).normal(size=(n, 3)) if isinstance(shared, int) else shared
    logits = np.random.default_rng(1000 + seed).normal(0, 0.8, (n, 3)) + weight * difficulty
    logits[np.arange(n), labels] += strength
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


SCORES = tuple(name for name in task_spec("classification").metrics if name != "group_accuracy")
LABELS = np.random.default_rng(7).choice(3, 240, p=[0.5, 0.3, 0.2])


@pytest.fixture
def make(predicted_run):
    """``make("a", strength=2.0, seed=0)`` makes a run that is the better, the stronger."""

    def build(name: str, strength: float = 2.0, seed: int = 0, noise: int | None = None, **arguments):
        probabilities = outputs(LABELS, strength, seed if noise is None else noise)
        return predicted_run(name, LABELS, probabilities, seed=seed, **arguments)

    return build


def entry(comparison: Comparison, name: str = "accuracy"):
    return next(each for each in comparison.differences if each.score == name)


def test_scores_are_those_of_the_scorecard(make) -> None:
    runs = [make("a"), make("b", 1.6, noise=3, dropout=0.5)]
    comparison = opsin.compare([run.path for run in runs])
    for recipe, run in zip(comparison.recipes, runs, strict=True):
        predicted = run.predicted("test")
        labels, predictions = predicted.targets.values, predicted.predictions
        expected = score(predictions, labels, run.classes)
        for name in SCORES:
            assert recipe.mean(name) == pytest.approx(expected[name].value)
    for name in task_spec("classification").compared:
        first, second = comparison.recipes
        assert entry(comparison, name).value == pytest.approx(first.mean(name) - second.mean(name))


def test_single_runs_are_compared_by_the_images_that_only_one_gets_right(make) -> None:
    runs = [make("a", 2.4), make("b", 1.6, noise=3, dropout=0.5)]
    right = [run.predicted("test").predictions.labels == LABELS for run in runs]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    found = entry(opsin.compare(runs))
    assert found.p_value == pytest.approx(
        stats.binomtest(only[0], sum(only)).pvalue - stats.binom.pmf(only[0], sum(only), 0.5)
    )
    assert found.low < found.value < found.high and "McNemar" in found.test
    assert found.better == 0 and found.corrected == found.p_value


def test_losses_are_compared_by_permutations_of_pairs(make) -> None:
    runs = [make("a", 2.0), make("b", 1.85, noise=3, dropout=0.5)]
    losses = [-np.log(run.predicted("test").predictions.probabilities[np.arange(240), LABELS]) for run in runs]
    expected = stats.permutation_test(
        (losses[0] - losses[1],), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
    )
    found = entry(opsin.compare(runs), "log_loss")
    assert found.value == pytest.approx(np.mean(losses[0] - losses[1]))
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    interval = stats.bootstrap((losses[0] - losses[1],), np.mean, n_resamples=4000, rng=np.random.default_rng(0))
    assert found.low == pytest.approx(interval.confidence_interval.low, abs=0.01)
    assert found.high == pytest.approx(interval.confidence_interval.high, abs=0.01)


def test_areas_under_curves_are_compared_by_the_influence_of_each_image(predicted_run) -> None:
    """DeLong's test of two areas, from its definition pair by pair; groups as Obuchowski sums them."""
    labels = np.minimum(LABELS, 1)
    groups = [f"patient {number // 4}" for number in range(240)]
    results = [outputs(LABELS, strength, seed)[:, 1:] for strength, seed in ((1.0, 0), (1.3, 1))]
    results = [result / result.sum(axis=1, keepdims=True) for result in results]
    pets = {"classes": ("cat", "dog")}
    runs = [predicted_run("a", labels, results[0], **pets), predicted_run("b", labels, results[1], dropout=0.5, **pets)]
    pets["groups"] = groups
    runs += [
        predicted_run("c", labels, results[0], **pets),
        predicted_run("d", labels, results[1], dropout=0.5, **pets),
    ]
    placed, areas = [], []
    for result in results:
        positive, negative = result[labels == 1, 1], result[labels == 0, 1]
        above = np.sign(positive[:, None] - negative[None, :]) / 2 + 0.5
        placed.append((above.mean(axis=1), above.mean(axis=0)))
        areas.append(above.mean())
    ones, zeros = (placed[0][side] - placed[1][side] for side in (0, 1))
    variance = ones.var(ddof=1) / len(ones) + zeros.var(ddof=1) / len(zeros)
    found = entry(opsin.compare(runs[:2]), "roc_auc")
    assert found.value == pytest.approx(areas[0] - areas[1])
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.value) / math.sqrt(variance), 239), rel=1e-6)
    assert (
        found.high - found.value == pytest.approx(stats.t.ppf(0.975, 239) * math.sqrt(variance))
        and "DeLong" in found.test
    )
    moved = np.empty(240)
    moved[labels == 1], moved[labels == 0] = ((side - side.mean()) / len(side) for side in (ones, zeros))
    by_group = (moved.reshape(60, 4).sum(axis=1) ** 2).sum() * 60 / 59
    grouped = entry(opsin.compare(runs[2:]), "roc_auc")
    assert grouped.high - grouped.value == pytest.approx(stats.t.ppf(0.975, 59) * math.sqrt(by_group), rel=0.02)


def test_images_of_one_class_have_no_areas(predicted_run) -> None:
    same = np.zeros(20, np.int64)
    chances = np.random.default_rng(0).dirichlet([3, 1, 1], (2, 20))
    runs = [predicted_run("a", same, chances[0]), predicted_run("b", same, chances[1], dropout=0.5)]
    comparison = opsin.compare(runs)
    assert "roc_auc" not in comparison.recipes[0].scores
    assert "roc_auc" not in {each.score for each in comparison.differences}
    with pytest.raises(RunError, match="roc_auc is undefined on these 20 images"):
        opsin.compare(runs, score="roc_auc")


def test_the_better_one_of_two_is_named_with_its_numbers(make) -> None:
    comparison = opsin.compare([make("plain", 1.5), make("strong", 3.0, noise=3, dropout=0.5)])
    assert comparison.sentence.startswith("strong is better than plain: accuracy ")
    assert f"{comparison.recipes[1].mean('accuracy'):.3f} against" in comparison.sentence
    assert "p < 0.001" in comparison.sentence
    lower = opsin.compare(comparison.runs, score="log_loss")
    assert lower.sentence.startswith("strong is better than plain: log loss")
    assert entry(lower, "log_loss").value > 0 and entry(lower, "log_loss").better == 1


def test_what_cannot_be_told_is_said_with_what_it_would_take(make) -> None:
    runs = [make("a", 2.0), make("b", 1.95, noise=3, dropout=0.5)]
    comparison = opsin.compare(runs)
    found = entry(comparison)
    assert found.better is None and comparison.sentence.startswith("There is no significant difference between ")
    right = np.array([run.predicted("test").predictions.labels == LABELS for run in runs], float)
    variance = np.var(right[0] - right[1], ddof=1)
    # Power of a paired test of proportions: n = ((1.96 + 0.84) / difference)^2 times the variance of one image.
    expected = (1.959964 + 0.841621) ** 2 * variance / found.value**2
    assert found.images_needed == pytest.approx(expected, rel=0.1)
    assert found.seeds_needed is None and "images (power 80 %)" in comparison.sentence


def test_networks_that_say_the_same_score_the_same(make) -> None:
    comparison = opsin.compare([make("a"), make("b", dropout=0.5)])
    for found in comparison.differences:
        assert found.value == 0 == found.better if found.better is not None else found.value == 0
        assert found.p_value == 1 and found.low < 0 < found.high and found.images_needed is None
    assert "their scores are equal" in comparison.sentence


def test_runs_that_differ_in_the_seed_alone_are_one_recipe(make) -> None:
    runs = [make(f"mlp-{seed}", 2.0, seed) for seed in range(3)]
    runs += [make(f"weak_seed{seed}", 1.4, seed + 10, dropout=0.5) for seed in range(3)]
    comparison = opsin.compare([runs[at] for at in (3, 0, 4, 1, 5, 2)])
    assert [recipe.name for recipe in comparison.recipes] == ["weak", "mlp"]
    assert [recipe.seeds for recipe in comparison.recipes] == [(10, 11, 12), (0, 1, 2)]
    assert comparison.keys == {"network.dropout": (0.5, 0.0)}
    found = entry(comparison)
    means = [
        np.mean([(run.predicted("test").predictions.labels == LABELS).mean() for run in part])
        for part in (runs[3:], runs[:3])
    ]
    assert found.value == pytest.approx(means[0] - means[1])
    assert found.better == 1 and "Student" in found.test
    assert not any("trained once" in note for note in comparison.notes)


def test_the_interval_of_a_mean_over_seeds_stays_within_what_a_score_can_be(predicted_run) -> None:
    labels, groups = np.arange(12) % 3, np.repeat(["a", "b", "c"], 4).tolist()
    right = (np.eye(3)[labels] * 0.7 + 0.1).astype(np.float32)
    runs = [
        predicted_run(f"r{seed}", labels, right if seed else np.roll(right, 1, axis=1), seed=seed, groups=groups)
        for seed in range(3)
    ]
    (recipe,) = opsin.compare(runs).recipes
    low, high = recipe.bounds["accuracy"]
    assert low == 0 and high == 1
    assert recipe.bounds["log_loss"][0] == 0 < recipe.mean("log_loss") < recipe.bounds["log_loss"][1]


def test_seeds_of_one_recipe_alone_are_summed_up(make) -> None:
    comparison = opsin.compare([make(f"mlp-{seed}", 2.0, seed) for seed in range(3)])
    assert not comparison.differences and not comparison.findings
    assert comparison.sentence.startswith("These are 3 runs of one recipe") and "could explain" in comparison.sentence
    assert comparison.methods == ["All runs were compared on the same 240 test images."]


def test_a_seed_that_fails_makes_the_recipe_unstable(make) -> None:
    runs = [make(f"mlp-{seed}", 2.5 if seed else 0.3, seed) for seed in range(3)]
    comparison = opsin.compare([*runs, make("other", 2.5, noise=20, dropout=0.5)])
    (finding,) = comparison.findings
    assert finding.kind == "unstable" and "3 runs of mlp" in finding.sentence
    assert any("single run" in note for note in comparison.notes)
    found = entry(comparison)
    assert found.better is None
    # The seeds differ so much that no number of images would tell the recipes apart.
    assert found.images_needed is None and found.seeds_needed is not None and "seeds of each" in comparison.sentence


def test_the_same_seed_twice_means_that_something_else_differs(make) -> None:
    comparison = opsin.compare([make("a"), make("b", noise=3)])
    assert [recipe.name for recipe in comparison.recipes] == ["a", "b"] and comparison.keys == {}
    assert any("The recipes are the same" in note for note in comparison.notes)
    cleaned = make("c", seed=1, info={"data": {"fingerprint": "cleaned"}})
    assert len(opsin.compare([make("d", seed=2), cleaned]).recipes) == 2


def test_many_recipes_are_corrected_for_all_pairs(make) -> None:
    runs = [make("a", 2.4), make("b", 2.35, noise=3, dropout=0.1), make("c", 1.2, noise=4, dropout=0.2)]
    comparison = opsin.compare(runs)
    own = [each for each in comparison.differences if each.score == "accuracy"]
    assert [(each.first, each.second) for each in own] == [(0, 1), (0, 2), (1, 2)]
    smallest = min(each.p_value for each in own)
    assert min(each.corrected for each in own) == pytest.approx(3 * smallest)
    assert "It is better than c" in comparison.sentence and "no significant difference from" in comparison.sentence
    assert "Holm" in comparison.sentence and "corrected for 3 pairs" in comparison.methods[-1]
    assert any("--split validation" in note for note in comparison.notes)


def test_two_recipes_of_which_no_pair_is_asked_for_are_scored_alone(make) -> None:
    runs = [make("a", 2.4), make("b", 1.2, noise=3, dropout=0.1)]
    comparison = opsin.compare(runs, names={run.path: run.name for run in runs}, pairs=[])
    assert comparison.differences == () and comparison.sentence.startswith("a has the best accuracy")
    assert "better than" not in comparison.sentence


def test_groups_are_drawn_whole(predicted_run) -> None:
    groups = [f"patient {number // 12}" for number in range(240)]
    difficulty = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 12, axis=0)
    runs = [
        predicted_run("a", LABELS, outputs(LABELS, 2, 0, difficulty, 1.5), groups=groups),
        predicted_run("b", LABELS, outputs(LABELS, 2, 1, -difficulty, 1.5), groups=groups, dropout=0.5),
    ]
    outcomes = [run.predicted("test").predictions.probabilities for run in runs]
    alone = [predicted_run("c", LABELS, outcomes[0]), predicted_run("d", LABELS, outcomes[1], dropout=0.5)]
    grouped, single = opsin.compare(runs), opsin.compare(alone)
    assert grouped.groups == 20 and single.groups is None
    widths = [entry(each).high - entry(each).low for each in (grouped, single)]
    assert widths[0] > 1.3 * widths[1]
    assert "20 groups: indicative" in entry(grouped).method and "sign-flip" in entry(grouped).test
    assert any("only 20 groups" in note for note in grouped.notes)


def test_only_shared_images_are_compared(make, predicted_run) -> None:
    names = [f"{number}.png" for number in range(200)]
    part = predicted_run("b", LABELS[:200], outputs(LABELS, 2, 5)[:200], names=names, dropout=0.5)
    comparison = opsin.compare([make("a"), part])
    assert comparison.images == 200
    assert any("240, 200 test images and share 200" in note for note in comparison.notes)


def test_what_is_asked_wrongly_is_said(make) -> None:
    run = make("a")
    for runs in ([run], [run, run.path], []):
        with pytest.raises(RunError, match="at least two different runs"):
            opsin.compare(runs)
    other = make("b", noise=3)
    with pytest.raises(RunError, match="no score 'acuracy' .did you mean 'accuracy'"):
        opsin.compare([run, other], score="acuracy")
    with pytest.raises(RunError, match="no split 'train'; there are test, validation"):
        opsin.compare([run, other], split="train")
    with pytest.raises(RunError, match="There is no run nowhere"):
        opsin.compare([run, "nowhere"])


def test_the_same_runs_give_the_same_comparison_as_json(make) -> None:
    runs = [make("a"), make("b", 1.7, noise=3, dropout=0.5)]
    first, second = (json.dumps(opsin.compare(runs).to_dict()) for _ in range(2))
    assert first == second
    table = json.loads(first)
    assert {each["first"] for each in table["differences"]} == {"a"}
    assert (
        len(table["differences"]) == len(task_spec("classification").compared)
        and table["recipes"][0]["scores"]["accuracy"]["values"]
    )


def test_intervals_and_p_values_of_single_networks_hold_their_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks that are equally good, on 150 images of three uneven classes."""
    monkeypatch.setattr(paired_tests, "PERMUTATIONS", 399)
    monkeypatch.setattr(paired_tests, "FLIPS", 0)
    monkeypatch.setattr("opsin.statistics.bootstrap.RESAMPLES", 1000)
    trials, random = 150, np.random.default_rng(3)
    held, rejected = (
        np.zeros(len(task_spec("classification").compared)),
        np.zeros(len(task_spec("classification").compared)),
    )
    for trial in range(trials):
        labels = random.choice(3, 150, p=[0.5, 0.3, 0.2])
        difficulty = random.normal(size=(150, 3))
        results = [Classifications(outputs(labels, 2, 2 * trial + at, difficulty)) for at in (0, 1)]
        paired = Paired(
            [],
            "classification",
            ClassTargets(labels),
            ("a", "b", "c"),
            results,
            np.zeros((2, 150), np.int64),
            None,
            [150, 150],
        )
        for at, found in enumerate(measure(evaluation_of("classification").compare(paired), [[0], [1]]).differences):
            held[at] += found.low <= 0 <= found.high
            rejected[at] += found.p_value < 0.05
    most = stats.binom.ppf(0.9995, trials, 0.05)
    assert rejected.max() <= most and (trials - held).max() <= most
    assert math.isclose(rejected.mean() / trials, 0.05, abs_tol=0.03)
