"""Opsin: from labelled images to a model its owner can trust and a report its owner can show.

>>> import opsin
>>> run = opsin.train("digits", epochs=2)            # doctest: +SKIP
>>> run.predict(["scan.png"])[0].label               # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Imported on first use, so that `import opsin` and `opsin --help` need neither torch nor matplotlib.
_LAZY = {
    "check": "opsin.checking",
    "train": "opsin.workflow",
    "cross_validate": "opsin.crossvalidation",
    "ensemble": "opsin.ensembling",
    "evaluate": "opsin.evaluating",
    "examine": "opsin.evaluating",
    "foretell": "opsin.foretelling",
    "predict": "opsin.workflow",
    "learning_curve": "opsin.learningcurve",
    "load_run": "opsin.run",
    "Run": "opsin.run",
    "Recipe": "opsin.recipe",
    "OpsinError": "opsin.errors",
    "read_dataset": "opsin.data.reading",
    "compare": "opsin.evaluation.comparison",
    "run_study": "opsin.studies.running",
    "Study": "opsin.studies.study",
    "score_isic": "opsin.scoring.isic",
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
    "examine",
    "foretell",
    "learning_curve",
    "load_run",
    "predict",
    "read_dataset",
    "run_study",
    "score_isic",
    "train",
]

if TYPE_CHECKING:
    from opsin.checking import check
    from opsin.crossvalidation import cross_validate
    from opsin.data.reading import read_dataset
    from opsin.ensembling import ensemble
    from opsin.errors import OpsinError
    from opsin.evaluating import evaluate, examine
    from opsin.evaluation.comparison import compare
    from opsin.foretelling import foretell
    from opsin.learningcurve import learning_curve
    from opsin.recipe import Recipe
    from opsin.run import Run, load_run
    from opsin.scoring.isic import score_isic
    from opsin.studies.running import run_study
    from opsin.studies.study import Study
    from opsin.workflow import predict, train


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'opsin' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
