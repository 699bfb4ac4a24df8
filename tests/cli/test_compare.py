import json

import numpy as np
import pytest

LABELS = np.arange(90) % 3


@pytest.fixture
def runs(predicted_run):
    def outputs(seed: int, wrong: int) -> np.ndarray:
        guesses = LABELS.copy()
        at = np.random.default_rng(seed).permutation(90)[:wrong]
        guesses[at] = (guesses[at] + 1) % 3
        return np.eye(3)[guesses] * 0.7 + 0.1

    return {
        "plain": predicted_run("plain", LABELS, outputs(0, 30)).path,
        "strong": predicted_run("strong", LABELS, outputs(1, 4), dropout=0.5).path,
        "again": predicted_run("again", LABELS, outputs(2, 5), dropout=0.25).path,
    }


def test_the_better_run_is_named(runs, opsin_command) -> None:
    shown = opsin_command("compare", runs["plain"], runs["strong"])
    assert shown.code == 0 and shown.out.startswith("strong is better than plain: accuracy 0.956 against 0.667")
    assert "plain − strong" in shown.out and "-0.289" in shown.out and "network.dropout" in shown.out
    assert "All runs were compared on the same 90 test images." in shown.out and "McNemar" in shown.out


def test_json_holds_what_the_tables_show(runs, opsin_command) -> None:
    table = json.loads(opsin_command("compare", *runs.values(), "--json", "--score", "macro_f1").out)
    assert table["score"] == "macro_f1" and len(table["differences"]) == 3 * 6
    shown = opsin_command("compare", *runs.values(), "--score", "macro_f1").out
    assert table["sentence"] in shown.replace("\n", " ").replace("  ", " ") and "Holm" in shown


def test_the_page_is_written(runs, opsin_command, tmp_path) -> None:
    shown = opsin_command("compare", runs["plain"], runs["strong"], "--out", tmp_path / "page.html")
    assert f"written to {tmp_path / 'page.html'}" in shown.out and (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plain",), "at least two different runs"),
        (("plain", "strong", "--split", "validation"), "opsin evaluate"),
        (("plain", "strong", "--score", "speed"), "no score 'speed'"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(runs, arguments, words, opsin_command) -> None:
    shown = opsin_command("compare", *(runs.get(word, word) for word in arguments))
    assert shown.code == 2 and words in shown.err and len(shown.err.splitlines()) == 1
