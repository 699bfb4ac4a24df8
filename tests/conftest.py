"""Data that many tests train on: small, real, and made without a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may ask a hub

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.recipe.recipe import Recipe, from_settings
from opsin.runs.folder import RunFolder
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications

# Where a change is accepted or not, the same examples are tried each time; elsewhere new ones are looked for.
settings.register_profile("any", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "any")

torch.set_num_threads(1)  # the test processes share the cores

# What takes longest, longest first: begun early, it leaves no process alone at the end.
SLOW = (
    "test_resume.py",
    "test_docs.py",
    "test_runner.py",
    "test_search.py",
    "test_report.py",
    "test_cross_validate.py",
)
SLOW_PAGES = ("studies.md", "training.md", "python.md", "splitting.md", "commands.md", "start.md", "thresholds.md")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let slow files come first, and slow pages first within theirs; a file's tests stay together."""

    def order(item: pytest.Item) -> tuple[int, int]:
        page = item.name.partition("test_every_block_runs[")[2].rstrip("]")
        file = SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW)
        return file, SLOW_PAGES.index(page) if page in SLOW_PAGES else len(SLOW_PAGES)

    items.sort(key=order)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a process that has no tests left take some from another, unless ``--dist`` says otherwise."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """All 1,797 digits of scikit-learn, 8x8 grey."""
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    classes = tuple("0123456789")
    return Dataset("digits", classes, ArrayImages(images), ClassTargets(bunch.target.astype(np.int64)), symmetry="none")


@pytest.fixture(scope="session")
def few_digits(digits: Dataset) -> Dataset:
    """The first 300 digits."""
    some = np.arange(300)
    images = ArrayImages(digits.images.array[some])  # type: ignore[attr-defined]
    return Dataset("digits", digits.classes, images, ClassTargets(digits.targets.values[some]), symmetry="none")


@pytest.fixture(autouse=True)
def _measure_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second to time loader and model is too long for networks that train in less."""
    monkeypatch.setattr("opsin.training.session.MEASURE_SECONDS", 0.01)


@pytest.fixture
def predicted_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """``predicted_run("a", labels, probabilities, …)`` makes a run folder that has predicted its test split."""

    def build(
        name: str,
        labels: np.ndarray,
        probabilities: np.ndarray,
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[str] = ("cat", "dog", "owl"),
        groups: Sequence[str] | None = None,
        digests: Sequence[int] | None = None,
        size: int = 8,
        split: str = "test",
        info: dict[str, Any] | None = None,
        **settings: Any,
    ) -> RunFolder:
        recipe = from_settings({"network": "mlp", **settings}, Recipe.from_dict({"data": {"source": "pets"}}))
        facts = {"state": "finished", "data": {"groups": len(set(groups or ())), "fingerprint": "f00"}} | (info or {})
        run = RunFolder.create(tmp_path / name, recipe, **facts)
        sight = {"height": size, "width": size, "channels": 3, "resize": "squash", "bits": 16}
        run.write("preprocessing.json", {"classes": list(classes), **sight})
        names = names or [f"{number}.png" for number in range(len(labels))]
        own = groups or names
        pixels = digests or range(len(labels))
        rows = zip(names, labels, own, pixels, strict=True)
        run.write_split([[file, classes[label], split, group, f"{digest:016x}"] for file, label, group, digest in rows])
        run.write_predictions(
            split,
            PredictedSplit(
                list(names), ClassTargets(np.asarray(labels)), Classifications(np.asarray(probabilities, np.float32))
            ),
        )
        epochs = [{"loss": 1.0 / epoch, "accuracy": 1 - 0.5 / epoch} for epoch in (1, 2, 3)]
        run.write("history.jsonl", [{"epoch": at, "validation": scores} for at, scores in enumerate(epochs, 1)])
        return run

    return build
