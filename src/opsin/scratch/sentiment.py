"""Sentiment of film reviews, in six steps from word counts to a network a hundred times as fast.

1. `count_words`: word counts in good and bad reviews; their ratio carries the signal.
2. `Vocabulary`: words become indices, a review a vector of counts, its label 0 or 1.
3. `SlowNetwork`: a linear hidden layer and one sigmoid unit, trained one review at a time.
4. Presence instead of counts: forty occurrences of "the" say no more than one; less noise, same signal.
5. `FastNetwork`: no multiplication by zeros and ones. The hidden layer is the sum of the weight rows of the words
   present, with the same result.
6. Pruning: rare words, and words equally common in good and bad reviews, are removed.
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
    """Word counts.

    Attributes:
        positive: Counts in good reviews.
        negative: Counts in bad reviews.
    """

    positive: Counter[str]
    negative: Counter[str]

    def total(self, word: str) -> int:
        """Return the total count of a word."""
        return self.positive[word] + self.negative[word]

    def polarity(self, word: str) -> float:
        """Return log((positive + 1) / (negative + 1)): above 0 for praise, near 0 for neutral words, else below."""
        return math.log((self.positive[word] + 1) / (self.negative[word] + 1))

    def words(self, min_count: int = 0, polarity_cutoff: float = 0.0) -> list[str]:
        """Return the words with a minimum count and absolute polarity, in alphabetical order."""
        every = self.positive.keys() | self.negative.keys()
        return sorted(
            word for word in every if self.total(word) >= min_count and abs(self.polarity(word)) >= polarity_cutoff
        )


def tokens(review: str) -> list[str]:
    """Return the words of a review, split at whitespace."""
    return review.split()


def tokens_and_pairs(review: str) -> list[str]:
    """Return the words and bigrams: "not good" differs from "not" and "good"."""
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
    """Return 1 for "positive" and 0 for "negative", case-insensitive.

    Raises:
        ValueError: The label is neither.
    """
    numbers = {"positive": 1, "negative": 0}
    if label.strip().lower() not in numbers:
        raise ValueError(f"a label must be positive or negative, not {label.strip()!r}")
    return numbers[label.strip().lower()]


# Step 2: words become numbers


class Vocabulary:
    """Words and their indices.

    Args:
        words: Distinct words.
        split: Splits a review into words.
    """

    def __init__(self, words: Iterable[str], split: Callable[[str], list[str]] = tokens):
        self.words = tuple(words)
        self.split = split
        self.index = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, review: str) -> Words:
        """Return the indices of all known words of a review, in order, with repetitions, ``(words,)``."""
        known = (self.index.get(word) for word in self.split(review))
        return np.array([number for number in known if number is not None], np.intp)

    def present(self, review: str) -> Words:
        """Return the sorted indices of the distinct known words of a review, ``(distinct words,)``."""
        index = self.index
        return np.array(sorted({index[word] for word in self.split(review) if word in index}), np.intp)


# Steps 3 and 4: the network, review by review


class SlowNetwork:
    """Counts -> linear hidden layer -> sigmoid, with dense vectors and matrices.

    Args:
        inputs: Size of the vocabulary.
        hidden: Units of the hidden layer.
        rate: Learning rate.
        presence: Whether an input is the presence of a word (step 4) instead of its count (step 3).
        seed: Random seed of the initial weights.
    """

    def __init__(self, inputs: int, hidden: int = 10, rate: float = 0.01, presence: bool = False, seed: int = 0):
        generator = np.random.default_rng(seed)
        self.rate, self.presence = rate, presence
        self.W1 = generator.normal(0, 0.01, (inputs, hidden))  # (V, H); small, so that at first no word matters
        self.W2 = generator.normal(0, hidden**-0.5, (hidden, 1))  # (H, 1)
        self.x = np.zeros((1, inputs))  # (1, V), overwritten for each review

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
        """Take one step on one review; return the probability before the step."""
        self.fill(words)
        h = self.x @ self.W1  # (1, H), feed forward; the hidden layer is linear
        p = _sigmoid(float((h @ self.W2)[0, 0]))
        delta2 = np.array(
            [[p - label]]
        )  # (1, 1), derivative of the cross-entropy with respect to the input of the sigmoid
        delta1 = delta2 @ self.W2.T  # (1, H), backpropagated
        self.W2 -= self.rate * h.T @ delta2  # (H, 1)
        self.W1 -= self.rate * self.x.T @ delta1  # (V, H)
        return p


# Steps 5 and 6: the same network without needless work


class FastNetwork:
    """The same network on the words present, without multiplications by zeros and ones.

    Arguments as for `SlowNetwork`; the weights are the same up to rounding.
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
        """Take one step on one review; return the probability before the step."""
        rows = self.W1[words]  # (n, H), the words present
        h = rows.sum(axis=0)  # (H,)
        p = _sigmoid(float((h @ self.W2)[0]))
        delta1 = (p - label) * self.W2[:, 0]  # (H,)
        self.W2 -= (self.rate * (p - label)) * h[:, None]
        rows -= self.rate * delta1
        self.W1[words] = rows  # indices are distinct, so that no update is lost
        return p


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


@dataclass(frozen=True)
class Pass:
    """Result of one pass over the reviews.

    Attributes:
        seconds: Duration.
        reviews: Number of reviews.
        running: ``(reviews,)``; running accuracy, each review predicted before it is learned.
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
    """Train on all reviews, one at a time.

    Args:
        network: Trained in place.
        reviews: Word indices of each review.
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
    """Return the fraction of reviews that a network classifies correctly."""
    right = [(network.predict(words) >= 0.5) == label for words, label in zip(reviews, labels, strict=True)]
    return float(np.mean(right))


def similar_words(network: FastNetwork, vocabulary: Vocabulary, word: str, number: int = 10) -> list[tuple[str, float]]:
    """Return the words with the largest dot product of weights with a given word.

    Words with similar sentiment get similar weights during training.
    """
    products = network.W1 @ network.W1[vocabulary.index[word]]  # (V,)
    return [(vocabulary.words[each], float(products[each])) for each in np.argsort(-products)[:number]]


# Beyond the six steps: a better network of the same size


class PhraseNetwork:
    """The fast network with words and bigrams weighted by their polarity (Wang and Manning 2012).

    The information in the counts need not be learned, and neutral words have little influence ("Baselines and
    bigrams").

    Args:
        counts: Counts in the training reviews, split by ``vocabulary.split``.
        vocabulary: Words and bigrams.
        hidden: Units of the hidden layer.
        seed: Random seed of the initial weights.
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
        """Take one step on one review; return the probability before the step."""
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
    """Train a `PhraseNetwork` on words and bigrams: several passes in random order, learning rate decaying to 0.

    Args:
        reviews: Texts.
        labels: 1 for good, 0 for bad.
        min_count: Minimum count of a word or bigram; 10 was the best of 3, 5 and 10 on 3,000 training reviews.
        passes: Passes over all reviews.
        rate: Initial learning rate.
        seed: Random seed of weights and order.
        watch: Called after each pass with its number and the running accuracy.
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
