"""Opsin: from labelled images to a model its owner can trust and a report its owner can show.

>>> import opsin
>>> run = opsin.train("digits", epochs=2)            # doctest: +SKIP
>>> run.predict(["scan.png"])[0].label               # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from opsin.version import __version__ as __version__

# Imported on first use, so that `import opsin` and `opsin --help` need neither torch nor matplotlib.
_LAZY = {
    "check": "opsin.workflow.check",
    "train": "opsin.workflow.train",
    "cross_validate": "opsin.workflow.cross_validate",
    "ensemble": "opsin.workflow.ensemble",
    "evaluate": "opsin.workflow.evaluate",
    "inspect": "opsin.workflow.inspect",
    "estimate_accuracy": "opsin.workflow.estimate_accuracy",
    "find_learning_rate": "opsin.workflow.find_learning_rate",
    "predict": "opsin.workflow.predict",
    "list_datasets": "opsin.data.catalog",
    "list_networks": "opsin.workflow.list_networks",
    "list_runs": "opsin.runs.folder",
    "learning_curve": "opsin.workflow.learning_curve",
    "load_run": "opsin.workflow.run",
    "Run": "opsin.workflow.run",
    "Recipe": "opsin.recipe.recipe",
    "OpsinError": "opsin.errors",
    "read_dataset": "opsin.data.read",
    "compare": "opsin.evaluation.comparison.compare",
    "report": "opsin.workflow.report",
    "run_study": "opsin.studies.runner",
    "Study": "opsin.studies.study",
    "score_isic": "opsin.competitions.isic",
}

__all__ = [
    "Recipe",
    "OpsinError",
    "Run",
    "Study",
    "check",
    "compare",
    "cross_validate",
    "ensemble",
    "evaluate",
    "inspect",
    "estimate_accuracy",
    "find_learning_rate",
    "learning_curve",
    "list_datasets",
    "list_networks",
    "list_runs",
    "load_run",
    "predict",
    "read_dataset",
    "report",
    "run_study",
    "score_isic",
    "train",
]

if TYPE_CHECKING:
    from opsin.competitions.isic import score_isic
    from opsin.data.catalog import list_datasets
    from opsin.data.read import read_dataset
    from opsin.errors import OpsinError
    from opsin.evaluation.comparison.compare import compare
    from opsin.recipe.recipe import Recipe
    from opsin.runs.folder import list_runs
    from opsin.studies.runner import run_study
    from opsin.studies.study import Study
    from opsin.workflow.check import check
    from opsin.workflow.cross_validate import cross_validate
    from opsin.workflow.ensemble import ensemble
    from opsin.workflow.estimate_accuracy import estimate_accuracy
    from opsin.workflow.evaluate import evaluate
    from opsin.workflow.find_learning_rate import find_learning_rate
    from opsin.workflow.inspect import inspect
    from opsin.workflow.learning_curve import learning_curve
    from opsin.workflow.list_networks import list_networks
    from opsin.workflow.predict import predict
    from opsin.workflow.report import report
    from opsin.workflow.run import Run, load_run
    from opsin.workflow.train import train


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'opsin' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
