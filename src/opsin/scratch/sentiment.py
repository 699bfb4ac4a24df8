"""The feeling of a film review, in six steps from counting words to a network a hundred times as fast.

1. `count_words`: which words do good and bad reviews use? The ratio of the counts carries the signal.
2. `Vocabulary`: words become numbers, a review a vector of counts, its label 0 or 1.
3. `SlowNetwork`: a linear hidden layer and one sigmoid unit, trained one review at a time.
4. Presence in place of counts: "the" said forty times says no more than once; the noise goes, the signal stays.
5. `FastNetwork`: a vector of zeros and ones need not be multiplied at all. The hidden layer is the sum of the rows of
   the words that are there, the same numbers without the work.
6. Pruning: words that are rare, or that good and bad reviews use alike, are left out.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.scratch.functions import Array

Words = NDArray[np.intp]


# Step 1: theory


@dataclass(frozen=True)
class WordCounts:
    """How often each word occurs.

    Attributes:
        positive: In good reviews.
        negative: In bad ones.
    """

    positive: Counter[str]
    negative: Counter[str]

    def total(self, word: str) -> int:
        """Return how often a word occurs at all."""
        return self.positive[word] + self.negative[word]

    def polarity(self, word: str) -> float:
        """Return log((positive + 1) / (negative + 1)): above 0 for praise, near 0 for noise, below for blame."""
        return math.log((self.positive[word] + 1) / (self.negative[word] + 1))

    def words(self, min_count: int = 0, polarity_cutoff: float = 0.0) -> list[str]:
        """Return the words that occur at least so often and lean at least so far, in alphabetical order."""
        every = self.positive.keys() | self.negative.keys()
        return sorted(
            word for word in every if self.total(word) >= min_count and abs(self.polarity(word)) >= polarity_cutoff
        )


def tokens(review: str) -> list[str]:
    """Return the words of a review, as they come between spaces."""
    return review.split()


def tokens_and_pairs(review: str) -> list[str]:
    """Return the words and each two words in a row: "not good" is another thing than "not" and "good"."""
    words = review.split()
    return words + [f"{first} {second}" for first, second in zip(words, words[1:], strict=False)]


def count_words(
    reviews: Sequence[str], labels: Sequence[int], split: Callable[[str], list[str]] = tokens
) -> WordCounts:
    """Count the words of good (label 1) and of bad reviews (label 0)."""
    counts = WordCounts(Counter(), Counter())
    for review, label in zip(reviews, labels, strict=True):
        (counts.positive if label else counts.negative).update(split(review))
    return counts


def to_number(label: str) -> int:
    """Return 1 for "positive" and 0 for "negative", in any case.

    Raises:
        ValueError: It is neither.
    """
    numbers = {"positive": 1, "negative": 0}
    if label.strip().lower() not in numbers:
        raise ValueError(f"a label is positive or negative, not {label.strip()!r}")
    return numbers[label.strip().lower()]


# Step 2: words become numbers


class Vocabulary:
    """Words and their numbers.

    Args:
        words: Each once.
        split: What cuts a review into words.
    """

    def __init__(self, words: Iterable[str], split: Callable[[str], list[str]] = tokens):
        self.words = tuple(words)
        self.split = split
        self.index = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, review: str) -> Words:
        """Return the number of every known word of a review, in order, with repetitions, ``(words,)``."""
        known = (self.index.get(word) for word in self.split(review))
        return np.array([number for number in known if number is not None], np.intp)

    def present(self, review: str) -> Words:
        """Return the numbers of the words that a review has, each once, ascending, ``(different words,)``."""
        index = self.index
        return np.array(sorted({index[word] for word in self.split(review) if word in index}), np.intp)


# Steps 3 and 4: the network, review by review


class SlowNetwork:
    """Counts -> linear hidden layer -> sigmoid, as one would first write it: whole vectors through whole matrices.

    Args:
        inputs: Words of the vocabulary.
        hidden: Units of the hidden layer.
        rate: Learning rate.
        presence: Whether an input is 1 for a word that is there (step 4) in place of its count (step 3).
        seed: Of the first weights.
    """

    def __init__(self, inputs: int, hidden: int = 10, rate: float = 0.01, presence: bool = False, seed: int = 0):
        generator = np.random.default_rng(seed)
        self.rate, self.presence = rate, presence
        self.W1 = generator.normal(0, 0.01, (inputs, hidden))  # (V, H); small, so that no word has a say at first
        self.W2 = generator.normal(0, hidden**-0.5, (hidden, 1))  # (H, 1)
        self.x = np.zeros((1, inputs))  # (1, V), filled anew for each review

    def fill(self, words: Words) -> None:
        """Write a review into the input layer."""
        self.x *= 0
        if self.presence:
            self.x[0, words] = 1
        else:
            np.add.at(self.x[0], words, 1)

    def predict(self, words: Words) -> float:
        """Return the probability that a review is good."""
        self.fill(words)
        return _sigmoid(float((self.x @ self.W1 @ self.W2)[0, 0]))

    def learn(self, words: Words, label: int) -> float:
        """Take one step on one review; return the probability that was given to it before."""
        self.fill(words)
        h = self.x @ self.W1  # (1, H), feed forward; the hidden layer is linear
        p = _sigmoid(float((h @ self.W2)[0, 0]))
        delta2 = np.array([[p - label]])  # (1, 1), the derivative of the cross-entropy by what enters the sigmoid
        delta1 = delta2 @ self.W2.T  # (1, H), sent back
        self.W2 -= self.rate * h.T @ delta2  # (H, 1)
        self.W1 -= self.rate * self.x.T @ delta1  # (V, H)
        return p


# Steps 5 and 6: the same network without the useless work


class FastNetwork:
    """The same network on words that are present: zeros are passed over, and ones are not multiplied by.

    Args: as for `SlowNetwork`; it gives the same weights, to rounding.
    """

    def __init__(self, inputs: int, hidden: int = 10, rate: float = 0.01, seed: int = 0):
        generator = np.random.default_rng(seed)
        self.rate = rate
        self.W1 = generator.normal(0, 0.01, (inputs, hidden))  # (V, H)
        self.W2 = generator.normal(0, hidden**-0.5, (hidden, 1))  # (H, 1)

    def predict(self, words: Words) -> float:
        """Return the probability that a review is good; words as from `Vocabulary.present`."""
        return _sigmoid(float((self.W1[words].sum(axis=0) @ self.W2)[0]))

    def learn(self, words: Words, label: int) -> float:
        """Take one step on one review; return the probability that was given to it before."""
        rows = self.W1[words]  # (n, H), the words that are there
        h = rows.sum(axis=0)  # (H,)
        p = _sigmoid(float((h @ self.W2)[0]))
        delta1 = (p - label) * self.W2[:, 0]  # (H,)
        self.W2 -= (self.rate * (p - label)) * h[:, None]
        rows -= self.rate * delta1
        self.W1[words] = rows  # each word occurs once, so nothing is lost
        return p


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


@dataclass(frozen=True)
class Pass:
    """What one pass over the reviews gave.

    Attributes:
        seconds: How long it took.
        reviews: How many there were.
        running: ``(reviews,)``; part of the reviews so far that were right when they were met, before learning from
            them.
    """

    seconds: float
    reviews: int
    running: Array

    @property
    def speed(self) -> float:
        """Reviews per second."""
        return self.reviews / max(self.seconds, 1e-9)


def learn_in_turn(
    network: SlowNetwork | FastNetwork,
    reviews: Sequence[Words],
    labels: Sequence[int],
    watch: Callable[[int], None] | None = None,
) -> Pass:
    """Train on one review after the other, each once.

    Args:
        network: Is changed.
        reviews: Words of each review, as numbers.
        labels: 1 for good, 0 for bad.
        watch: Called with the number of reviews done, after each.
    """
    right = np.zeros(len(reviews))
    started = time.perf_counter()
    for number, (words, label) in enumerate(zip(reviews, labels, strict=True)):
        right[number] = (network.learn(words, label) >= 0.5) == label
        if watch:
            watch(number + 1)
    seconds = time.perf_counter() - started
    return Pass(seconds, len(reviews), np.cumsum(right) / np.arange(1, len(right) + 1))


def accuracy(
    network: SlowNetwork | FastNetwork | PhraseNetwork, reviews: Sequence[Words], labels: Sequence[int]
) -> float:
    """Return the part of reviews that a network gets right."""
    right = [(network.predict(words) >= 0.5) == label for words, label in zip(reviews, labels, strict=True)]
    return float(np.mean(right))


def similar_words(network: FastNetwork, vocabulary: Vocabulary, word: str, number: int = 10) -> list[tuple[str, float]]:
    """Return the words whose rows of weights point the same way as a given one, with their dot product.

    Nobody told the network what words mean: those that speak for the same verdict have come to the same place.
    """
    products = network.W1 @ network.W1[vocabulary.index[word]]  # (V,)
    return [(vocabulary.words[each], float(products[each])) for each in np.argsort(-products)[:number]]


# Beyond the six steps: our best network that is still as small


class PhraseNetwork:
    """The fast network with inputs that are not all equal: a word or pair enters with the strength of its polarity.

    Known from Wang and Manning (2012, "Baselines and bigrams"): what the counts know already need not be learned again,
    and a word that both sides use alike can hardly disturb.

    Args:
        counts: Of the training reviews, split as ``vocabulary.split`` does.
        vocabulary: Words and pairs.
        hidden: Units of the hidden layer.
        seed: Of the first weights.
    """

    def __init__(self, counts: WordCounts, vocabulary: Vocabulary, hidden: int = 10, seed: int = 0):
        generator = np.random.default_rng(seed)
        self.strength = np.array([[abs(counts.polarity(word))] for word in vocabulary.words])  # (V, 1)
        self.W1 = generator.normal(0, 0.01, (len(vocabulary), hidden))  # (V, H)
        self.W2 = generator.normal(0, hidden**-0.5, (hidden, 1))  # (H, 1)

    def predict(self, words: Words) -> float:
        """Return the probability that a review is good; words as from `Vocabulary.present`."""
        h = (self.W1[words] * self.strength[words]).sum(axis=0)  # (H,)
        return _sigmoid(float((h @ self.W2)[0]))

    def learn(self, words: Words, label: int, rate: float) -> float:
        """Take one step on one review; return the probability that was given to it before."""
        strength, rows = self.strength[words], self.W1[words]  # (n, 1), (n, H)
        h = (rows * strength).sum(axis=0)  # (H,)
        p = _sigmoid(float((h @ self.W2)[0]))
        delta1 = (p - label) * self.W2[:, 0]  # (H,)
        self.W2 -= (rate * (p - label)) * h[:, None]
        self.W1[words] = rows - rate * strength * delta1
        return p


def learn_phrases(
    reviews: Sequence[str],
    labels: Sequence[int],
    *,
    min_count: int = 10,
    passes: int = 3,
    rate: float = 0.003,
    seed: int = 0,
    watch: Callable[[int, float], None] | None = None,
) -> tuple[Vocabulary, PhraseNetwork]:
    """Train a `PhraseNetwork` on words and pairs: several passes, each in a new order, at a rate that shrinks to 0.

    Args:
        reviews: Texts.
        labels: 1 for good, 0 for bad.
        min_count: How often a word or pair must occur; 10 was the best of 3, 5 and 10 on 3,000 training reviews.
        passes: Over all reviews.
        rate: Learning rate at the start.
        seed: Of weights and order.
        watch: Called after each pass with its number and the part of reviews that were right when they were met.
    """
    counts = count_words(reviews, labels, tokens_and_pairs)
    vocabulary = Vocabulary(counts.words(min_count), tokens_and_pairs)
    inputs = [vocabulary.present(review) for review in reviews]
    network, generator = PhraseNetwork(counts, vocabulary, seed=seed), np.random.default_rng(seed)
    steps, done = passes * len(inputs), 0
    for number in range(1, passes + 1):
        right = 0
        for place in generator.permutation(len(inputs)):
            p = network.learn(inputs[place], labels[place], rate * (1 - done / steps))
            right += (p >= 0.5) == labels[place]
            done += 1
        if watch:
            watch(number, right / len(inputs))
    return vocabulary, network
