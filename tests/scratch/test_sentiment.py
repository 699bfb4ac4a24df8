import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.scratch import sentiment as s

WORDS = [f"w{number}" for number in range(30)]
GOOD, BAD = {"w0", "w1", "w2"}, {"w3", "w4", "w5"}


def reviews(number, seed=0):
    """Texts of random words, of which a few tell the label."""
    generator = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(number):
        label = int(generator.integers(2))
        told = generator.choice(sorted(GOOD if label else BAD), 2)
        noise = generator.choice(WORDS[6:], generator.integers(5, 20))
        texts.append(" ".join([*noise, *told, "the the the"]))
        labels.append(label)
    return texts, labels


def test_counts_and_polarity():
    counts = s.count_words(["good good film", "bad film", "good"], [1, 0, 1])
    assert counts.total("good") == 3
    assert counts.polarity("good") == pytest.approx(math.log(4))
    assert counts.polarity("film") == 0
    assert counts.words(min_count=2) == ["film", "good"]
    assert counts.words(polarity_cutoff=0.5) == ["bad", "good"]


@pytest.mark.parametrize(("label", "number"), [("POSITIVE", 1), ("negative\n", 0), ("Positive", 1)])
def test_labels_in_any_case(label, number):
    assert s.to_number(label) == number


def test_another_label_is_refused():
    with pytest.raises(ValueError, match="'neutral'"):
        s.to_number("neutral")


def test_words_become_numbers():
    vocabulary = s.Vocabulary(["bad", "film", "good"])
    np.testing.assert_array_equal(vocabulary.numbers("good film good unknown"), [2, 1, 2])
    np.testing.assert_array_equal(vocabulary.present("good film good unknown"), [1, 2])
    assert s.tokens_and_pairs("not good film") == ["not", "good", "film", "not good", "good film"]


@given(st.integers(0, 1000))
def test_the_fast_network_gets_the_weights_of_the_slow_one(seed):
    texts, labels = reviews(20, seed)
    vocabulary = s.Vocabulary(s.count_words(texts, labels).words())
    present = [vocabulary.present(text) for text in texts]
    slow = s.SlowNetwork(len(vocabulary), rate=0.05, presence=True, seed=seed)
    fast = s.FastNetwork(len(vocabulary), rate=0.05, seed=seed)
    for network in (slow, fast):
        s.learn_in_turn(network, present, labels)
    np.testing.assert_allclose(fast.W1, slow.W1, atol=1e-12)
    np.testing.assert_allclose(fast.W2, slow.W2, atol=1e-12)
    assert fast.predict(present[0]) == pytest.approx(slow.predict(present[0]))


def test_counts_go_in_as_often_as_a_word_occurs():
    network = s.SlowNetwork(3)
    network.fill(np.array([2, 1, 2]))
    np.testing.assert_array_equal(network.x, [[0, 1, 2]])


def test_one_step_follows_the_gradient():
    network = s.FastNetwork(4, hidden=3, rate=1e-3, seed=1)
    words = np.array([0, 2])
    W1, W2 = network.W1.copy(), network.W2.copy()

    def error():
        return -math.log(network.predict(words))

    slopes = np.zeros_like(W1)
    for place in np.ndindex(W1.shape):
        network.W1[place] += 1e-6
        above = error()
        network.W1[place] -= 2e-6
        slopes[place] = (above - error()) / 2e-6
        network.W1[place] += 1e-6
    network.learn(words, 1)
    np.testing.assert_allclose((W1 - network.W1) / 1e-3, slopes, atol=1e-6)
    assert not np.array_equal(W2, network.W2)


def test_it_learns_which_words_tell_and_which_are_alike():
    texts, labels = reviews(1500)
    vocabulary = s.Vocabulary(s.count_words(texts[:1200], labels[:1200]).words())
    inputs = [vocabulary.present(text) for text in texts]
    network = s.FastNetwork(len(vocabulary), rate=0.05)
    done = s.learn_in_turn(network, inputs[:1200], labels[:1200])
    assert s.accuracy(network, inputs[1200:], labels[1200:]) > 0.95
    assert done.reviews == 1200
    assert done.speed > 0
    assert done.running[-1] > done.running[20]
    assert {word for word, _ in s.similar_words(network, vocabulary, "w0", 3)} == GOOD


def test_pairs_of_words_tell_what_words_alone_cannot():
    generator = np.random.default_rng(0)
    texts, labels = [], []
    for _ in range(800):  # "not good" and "not bad" turn the meaning round: the words alone say nothing
        negated, good = generator.integers(2, size=2)
        noise = " ".join(generator.choice(WORDS, 4))
        texts.append(f"{'not' if negated else 'very'} {'good' if good else 'bad'} {noise}")
        labels.append(int(good != negated))
    vocabulary, network = s.learn_phrases(texts[:600], labels[:600], min_count=2, passes=4, rate=0.05)
    inputs = [vocabulary.present(text) for text in texts[600:]]
    assert s.accuracy(network, inputs, labels[600:]) > 0.97
