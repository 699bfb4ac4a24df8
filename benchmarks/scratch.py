"""Networks in pure NumPy: accuracy, and speed against PyTorch and scikit-learn.

    python benchmarks/scratch.py digits        # speed of 784-100-10 on MNIST, epoch by epoch in turns
    python benchmarks/scratch.py accuracy      # test accuracy of 784-100-10 and of the better recipe, over seeds
    python benchmarks/scratch.py sentiment     # the six steps on the film reviews, and the network with bigrams

All networks of a comparison have the same shape, float32, batches of 128, plain SGD at one rate, and the same images
in memory; each counts its loss. PyTorch runs the loop one writes by hand over tensors (no DataLoader), its fastest.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from common import machine, ratios, spread, table, today, versions
from opsin.lessons.digits import BETTER, BETTER_UNITS, train_digits
from opsin.lessons.sources import find_digits, find_reviews
from opsin.scratch.network import Network, train
from opsin.scratch.sentiment import (
    FastNetwork,
    SlowNetwork,
    Vocabulary,
    accuracy,
    count_words,
    learn_in_turn,
    learn_phrases,
)
from opsin.statistics.bootstrap import wilson

BATCH_SIZE, RATE = 128, 0.1


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("digits", "accuracy", "sentiment"))
    parser.add_argument("--rounds", type=int, default=5, help="digits: epochs of each contender that count (5)")
    parser.add_argument("--epochs", type=int, default=0, help="accuracy: of each network (30; 784-100-10: 200)")
    parser.add_argument("--seeds", type=int, default=1, help="accuracy: how many seeds (1)")
    options = parser.parse_args()
    print(f"{today()} · {machine()}")
    print(", ".join(f"{package} {number}" for package, number in versions(("numpy", "torch", "scikit-learn")).items()))
    if options.what == "digits":
        compare_speed(options.rounds)
    elif options.what == "accuracy":
        measure_accuracy(options.epochs, options.seeds)
    else:
        measure_sentiment()


def compare_speed(rounds: int) -> None:
    """Let three take turns, an epoch each, after one that does not count."""
    chosen, _, source = find_digits()
    X, labels = np.concatenate([chosen.X, chosen.new_X]), np.concatenate([chosen.labels, chosen.new_labels])
    print(f"{source}; 784-100-10, batches of {BATCH_SIZE}, n = {rounds} rounds after 1 to warm up\n")
    contenders = {"opsin.scratch": _ours(X, labels), "PyTorch": _torch(X, labels), "MLPClassifier": _sklearn(X, labels)}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, epoch in contenders.items():
            started = time.perf_counter()
            epoch()
            if number:
                seconds[name].append(time.perf_counter() - started)
    mine = [1 / value for value in seconds["opsin.scratch"]]
    rows = [
        [name, spread(values, 2), "" if name == "opsin.scratch" else spread(ratios(mine, [1 / v for v in values]), 2)]
        for name, values in seconds.items()
    ]
    print(table(["", "seconds an epoch, median (min–max)", "speed of opsin.scratch / its"], rows))


def _ours(X: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    network = Network((784, 100, 10))
    return lambda: train(network, X, labels, epochs=1, batch_size=BATCH_SIZE, rate=RATE)


def _torch(X: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    import torch
    from torch import nn

    network = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    images, targets = torch.from_numpy(X), torch.from_numpy(labels)

    def epoch() -> float:
        total = torch.zeros(())
        for rows in torch.randperm(len(images)).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(network(images[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total)

    return epoch


def _sklearn(X: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    model = MLPClassifier(
        (100,),
        solver="sgd",
        batch_size=BATCH_SIZE,
        learning_rate_init=RATE,
        momentum=0,
        alpha=0,
        max_iter=1,
        warm_start=True,
    )
    return lambda: model.fit(X, labels)


def measure_accuracy(epochs: int, seeds: int) -> None:
    """Train both networks; the classic one for 200 epochs, as published, the better one for 30."""
    chosen, tested, source = find_digits()
    print(f"{source}; validation images are held out, test is opened once per network\n")
    rows = []
    for units, options, number in (((100,), {}, epochs or 200), (BETTER_UNITS, BETTER, epochs or 30)):
        for seed in range(seeds):
            found = train_digits(chosen, tested, units, epochs=number, seed=seed, **options)
            score = f"{found.test.value:.2%} ({found.test.low:.2%}–{found.test.high:.2%})"
            rows.append([found.name, str(number), str(seed), score, f"{found.seconds:.0f}"])
            print(" ".join(rows[-1]), flush=True)
    print("\n" + table(["network", "epochs", "seed", "test accuracy (95 % interval)", "seconds"], rows))


def measure_sentiment() -> None:
    """Walk the six steps, then train ours; its cross-validation is over all reviews, in five parts."""
    reviews, labels, source = find_reviews()
    train_fraction, test_part = slice(-1000), slice(-1000, None)
    counts = count_words(reviews[train_fraction], labels[train_fraction])
    full, few = Vocabulary(counts.words()), Vocabulary(counts.words(20, 0.05))
    print(f"{source}, the last 1,000 held out\n")
    present = {name: [each.present(review) for review in reviews] for name, each in (("5", full), ("6", few))}
    numbers = [full.numbers(review) for review in reviews[:1000]]
    rows, slowest = [], 0.0
    for name, network, inputs, tested in (
        ("3: counts", SlowNetwork(len(full)), numbers, None),
        ("4: presence", SlowNetwork(len(full), presence=True), present["5"][:1000], None),
        ("5: only what is there", FastNetwork(len(full)), present["5"][train_fraction], present["5"][test_part]),
        ("6: pruned", FastNetwork(len(few)), present["6"][train_fraction], present["6"][test_part]),
    ):
        done = learn_in_turn(network, inputs, labels[: len(inputs)])
        slowest = slowest or done.speed
        score = "" if tested is None else _score(accuracy(network, tested, labels[test_part]), 1000)
        speed = [f"{done.speed:,.0f}", f"{done.speed / slowest:.0f}", f"{done.seconds:.1f}"]
        rows.append([name, f"{done.reviews:,}", *speed, f"{done.running[-1]:.1%}", score])
    columns = ["step", "reviews", "reviews/s", "speed / step 3", "seconds", "right as it learned", "held-out reviews"]
    print(table(columns, rows))
    vocabulary, ours = learn_phrases(reviews[train_fraction], labels[train_fraction])
    right = accuracy(ours, [vocabulary.present(review) for review in reviews[test_part]], labels[test_part])
    print(f"\nwords and pairs: {_score(right, 1000)} of the held-out reviews", flush=True)
    folds, parts = [], np.random.default_rng(0).permutation(len(reviews)) % 5
    for fold in range(5):
        inside, outside = np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)
        vocabulary, ours = learn_phrases([reviews[i] for i in inside], [labels[i] for i in inside])
        inputs = [vocabulary.present(reviews[i]) for i in outside]
        folds.append(accuracy(ours, inputs, [labels[i] for i in outside]))
        print(f"fold {fold + 1}: {folds[-1]:.2%} of {len(outside):,}", flush=True)
    mean, deviation = statistics.mean(folds), statistics.stdev(folds)
    print(f"five-fold: {_score(mean, len(reviews))}, standard deviation over folds {deviation:.2%}")


def _score(value: float, n: int) -> str:
    found = wilson(value * n, n)
    return f"{value:.2%} ({found.low:.2%}–{found.high:.2%})"


if __name__ == "__main__":
    main()
