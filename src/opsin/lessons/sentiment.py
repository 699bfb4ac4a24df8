"""Lesson on sentiment analysis of film reviews: six steps from word counts to a fast network, and one beyond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from opsin.lessons.lesson import LOOKS, Lesson, Part, Picture, Table, log_scale
from opsin.reporting.figures.style import BLUE, ORANGE, add_axes, label_x, new_figure
from opsin.scratch.sentiment import (
    FastNetwork,
    Pass,
    PhraseNetwork,
    SlowNetwork,
    Vocabulary,
    WordCounts,
    Words,
    accuracy,
    count_words,
    learn_in_turn,
    learn_phrases,
    similar_words,
)
from opsin.statistics.bootstrap import Interval, wilson

HELD_OUT = 1_000  # the last reviews, as in the lesson this follows
COMMON = 100  # minimum count of a plotted word; less for fewer than 20,000 reviews
SLOW = 1_000  # reviews for timing the slow networks; all would take half an hour
MIN_COUNT, POLARITY_CUTOFF = 20, 0.05


@dataclass(frozen=True)
class Step:
    """Result of one of the networks.

    Attributes:
        name: Its step.
        done: Its pass over the training reviews, or the first of them.
        inputs: Size of its vocabulary.
        test: Accuracy on the held-out reviews with its interval (Wilson); None if trained on too few reviews.
    """

    name: str
    done: Pass
    inputs: int
    test: Interval | None


def teach_sentiment(
    reviews: Sequence[str], labels: Sequence[int], source: str, say: Callable[[str], None] = lambda sentence: None
) -> Lesson:
    """Run the lesson.

    Args:
        reviews: Texts; the last 1,000, or a fifth if there are fewer than 5,000, are held out.
        labels: 1 for good, 0 for bad.
        source: Description of the data.
        say: Called with progress messages.
    """
    held_out = min(HELD_OUT, len(reviews) // 5)
    train, test = list(reviews[:-held_out]), list(reviews[-held_out:])
    answers, truth = list(labels[:-held_out]), list(labels[-held_out:])
    least = max(2, min(COMMON, len(train) // 200))
    say("step 1: counting words")
    counts = count_words(train, answers)
    say("step 2: words to numbers")
    vocabulary = Vocabulary(counts.words())
    present, unseen = ([vocabulary.present(review) for review in part] for part in (train, test))
    say("steps 3 and 4: dense vectors and matrices")
    numbers = [vocabulary.numbers(review) for review in train[:SLOW]]
    steps = [
        _slow("3: counts", SlowNetwork(len(vocabulary)), numbers, answers),
        _slow("4: presence", SlowNetwork(len(vocabulary), presence=True), present[:SLOW], answers),
    ]
    say("step 5: the same without needless work")
    fast = FastNetwork(len(vocabulary))
    steps.append(_tested("5: only words present", fast, present, answers, unseen, truth, len(vocabulary)))
    say("step 6: fewer words")
    few = Vocabulary(counts.words(MIN_COUNT, POLARITY_CUTOFF))
    kept, kept_test = ([few.present(review) for review in part] for part in (train, test))
    steps.append(_tested("6: pruned", FastNetwork(len(few)), kept, answers, kept_test, truth, len(few)))
    say("further: bigrams")
    phrases, network = learn_phrases(train, answers)
    best = wilson(accuracy(network, [phrases.present(review) for review in test], truth) * len(test), len(test))
    return Lesson(
        "sentiment",
        "Sentiment of film reviews",
        "A network learns which words are positive and which negative. Less noise in its inputs and less needless work "
        "help more than a larger network.",
        f"{source}, the last {held_out:,} held out",
        [
            _counting(counts, least),
            _numbers(vocabulary),
            _networks(steps),
            _meaning(fast, vocabulary, counts, least),
            _further(steps[-1], best, phrases, network),
        ],
        [
            "Raise the polarity cutoff to 0.8: how much faster does it get, and what does it cost?",
            "Give the hidden layer a single unit. Does the accuracy fall? Why (not), for a linear hidden layer?",
            "Use a learning rate of 0.1 instead of 0.01. What does the running accuracy do?",
        ],
    )


def _slow(name: str, network: SlowNetwork, inputs: list[Words], answers: Sequence[int]) -> Step:
    return Step(name, learn_in_turn(network, inputs, answers[: len(inputs)]), len(network.W1), None)


def _tested(
    name: str,
    network: FastNetwork,
    inputs: list[Words],
    answers: Sequence[int],
    unseen: list[Words],
    truth: Sequence[int],
    words: int,
) -> Step:
    done = learn_in_turn(network, inputs, answers)
    return Step(name, done, words, wilson(accuracy(network, unseen, truth) * len(truth), len(truth)))


def _counting(counts: WordCounts, least: int) -> Part:
    common = counts.words(min_count=least)
    by_polarity = sorted(common, key=counts.polarity)
    frequent = sorted(counts.words(), key=counts.total, reverse=True)[:8]
    rows = [
        [
            f"{good} {counts.polarity(good):+.2f}",
            f"{bad} {counts.polarity(bad):+.2f}",
            f"{noise} {counts.polarity(noise):+.2f}",
        ]
        for good, bad, noise in zip(by_polarity[::-1], by_polarity, frequent, strict=False)
    ][:8]
    polarity = np.array([counts.polarity(word) for word in common])
    figure = new_figure(4.6, 2.6)
    axes = add_axes(figure, title="Words")
    axes.hist(polarity, bins=60, color=BLUE)
    label_x(axes, f"log of positive / negative, words that occur {least} times or more")
    return Part(
        "1: counting words",
        [
            f"{len(counts.words()):,} different words. The most frequent ones, '.', 'the', 'and', are equally common "
            "in "
            "good and bad reviews: noise. The logarithm of the ratio of the two counts shows the signal."
        ],
        [Table(["most positive", "most negative", "most frequent"], rows)],
        [Picture(figure, "Most words are neutral", "The signal is in the two tails.")],
    )


def _numbers(vocabulary: Vocabulary) -> Part:
    return Part(
        "2: words become numbers",
        [
            f"Each word has an index in a vector of length {len(vocabulary):,}; a review is the vector of its word "
            "counts, "
            "its label 1 for positive and 0 for negative."
        ],
    )


def _networks(steps: list[Step]) -> Part:
    rows = [
        [
            step.name,
            f"{step.inputs:,}",
            f"{step.done.reviews:,}",
            f"{step.done.speed:,.0f}",
            f"{step.done.speed / steps[0].done.speed:,.0f}×",
            f"{step.done.running[-1]:.1%}",
            "" if step.test is None else f"{step.test.value:.1%} ({step.test.low:.1%}–{step.test.high:.1%})",
        ]
        for step in steps
    ]
    columns = ["step", "words", "reviews", "reviews/s", "speed", "running accuracy", "held-out accuracy"]
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Running accuracy")
    for step, look in zip(steps, (LOOKS[1], LOOKS[2], LOOKS[0], LOOKS[3]), strict=True):
        running = step.done.running
        axes.plot(np.arange(1, len(running) + 1), running, label=step.name, **look)
    axes.set_ylim(0.4, 0.95)
    log_scale(axes, "x")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    label_x(axes, "reviews")
    slow, clean, fast, pruned = steps
    first = slow.done.reviews
    return Part(
        "3 to 6: a network, less noise, less work",
        [
            f"Step 3 uses counts: the running accuracy after {first:,} reviews is {slow.done.running[-1]:.1%}. Step 4 "
            "uses "
            f"presence, and it is {clean.done.running[-1]:.1%}: frequent words such as 'the' no longer dominate.",
            f"Step 5 computes the same without multiplying by 0 and by 1: {fast.done.speed / slow.done.speed:,.0f} "
            f"times the reviews a second, all {fast.done.reviews:,} in {fast.done.seconds:.1f} s. Step 6 "
            f"removes words with a count below {MIN_COUNT} or an absolute polarity below {POLARITY_CUTOFF}: "
            f"{pruned.inputs:,} of {fast.inputs:,} words remain.",
        ],
        [Table(columns, rows)],
        [Picture(figure, "Accuracy during training", "Each review is predicted before it is learned.")],
    )


def _meaning(network: FastNetwork, vocabulary: Vocabulary, counts: WordCounts, least: int) -> Part:
    tables = []
    words = [word for word in counts.words(min_count=least) if word in vocabulary.index]
    asked = [word for word in ("excellent", "terrible") if word in vocabulary.index]
    found = [similar_words(network, vocabulary, word, 10) for word in asked]
    if asked:
        tables.append(
            Table(asked, [list(row) for row in zip(*([word for word, _ in each] for each in found), strict=True)])
        )
    return Part(
        "Learned word vectors",
        [
            "The network was trained on labels of reviews only, not of words. Words with similar sentiment have "
            "similar weights."
        ],
        tables,
        [
            Picture(
                plot_words(network, vocabulary, counts, words),
                "A map of words",
                "The first two principal components of their weights. Blue: positive words. Orange: negative words.",
                wide=True,
            )
        ]
        if len(words) > 2
        else [],
    )


def plot_words(
    network: FastNetwork,
    vocabulary: Vocabulary,
    counts: WordCounts,
    words: Sequence[str],
    number: int = 500,
    named: int = 46,
) -> Figure:
    """Plot the words with the largest polarity by the first two principal components of their weights."""
    words = sorted(words, key=lambda word: -abs(counts.polarity(word)))[:number]
    rows = network.W1[[vocabulary.index[word] for word in words]]  # (words, H)
    rows = rows - rows.mean(axis=0)
    places = rows @ np.linalg.svd(rows, full_matrices=False)[2][:2].T  # (words, 2), principal components
    good = np.array([counts.polarity(word) > 0 for word in words])
    figure = new_figure(7.2, 4.2)
    axes = add_axes(figure, grid="")
    axes.scatter(places[good, 0], places[good, 1], s=7, color=BLUE, linewidths=0)
    axes.scatter(places[~good, 0], places[~good, 1], s=7, color=ORANGE, linewidths=0)
    for word, (x, y), positive in list(zip(words, places, good, strict=True))[:named]:
        axes.annotate(word, (x, y), (2, 2), textcoords="offset points", fontsize=7, color=BLUE if positive else ORANGE)
    axes.set(xticks=(), yticks=())
    return figure


def _further(last: Step, best: Interval, vocabulary: Vocabulary, network: PhraseNetwork) -> Part:
    assert last.test is not None
    return Part(
        "Further: bigrams",
        [
            f"'not good' is neither 'not' nor 'good'. With {len(vocabulary):,} words and bigrams that occur at least "
            "ten "
            "times, inputs weighted by polarity, three passes and a decaying learning rate, the same small network "
            f"({network.W1.shape[1]} hidden units) reaches {best.value:.1%} ({best.low:.1%}–{best.high:.1%}) on the "
            f"held-out reviews, against {last.test.value:.1%}. With {best.n:,} reviews, differences below two points "
            "may "
            "be chance."
        ],
    )
