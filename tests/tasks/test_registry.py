from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from opsin.data.targets.base import EncodedArray
from opsin.errors import RecipeError
from opsin.evaluation.task import evaluation_of
from opsin.inspection import INSPECTIONS
from opsin.metrics.names import DETAILS, SCORES
from opsin.recipe.recipe import Recipe, settings
from opsin.reporting.task import report_of
from opsin.tasks.registry import TASKS, task_spec


@pytest.mark.parametrize("task", TASKS)
def test_a_room_has_the_same_files_as_the_others(task):
    import importlib

    for name in (
        "spec",
        "learner",
        "predictions",
        "files",
        "answers",
        "scorecard",
        "evaluation",
        "compare",
        "verdict",
        "report",
    ):
        importlib.import_module(f"opsin.tasks.{task}.{name}")


def test_the_help_of_recipes_names_the_tasks():
    words = next(item.metadata["help"] for key, item, _ in settings() if key == "task")
    assert all(task in words for task in TASKS)


def test_an_unknown_task_is_named():
    with pytest.raises(RecipeError, match="no task 'regresion' .did you mean 'regression'"):
        task_spec("regresion")


@pytest.mark.parametrize("task", TASKS)
def test_reading_results_needs_no_torch(task):
    program = (
        "import sys; from opsin.tasks.registry import task_spec\n"
        "from opsin.evaluation.task import evaluation_of; from opsin.reporting.task import report_of\n"
        f"spec = task_spec({task!r}); spec.store(); evaluation_of({task!r}); report_of({task!r})\n"
        f"import opsin.tasks.{task}.answers, opsin.tasks.{task}.scorecard, opsin.workflow.report\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("task", TASKS)
def test_metrics_sections_and_inspections_of_a_task_are_known(task):
    spec = task_spec(task)
    assert spec.name == task
    assert {spec.main_metric, spec.learning_metric, *spec.compared} <= set(spec.metrics) <= set(SCORES)
    assert set(spec.details) <= set(DETAILS)
    assert set(spec.inspections) <= set(INSPECTIONS)
    anchors = [section.anchor for section in report_of(task).sections]
    assert len(set(anchors)) == len(anchors) and {"verdict", "scores", "reproduce"} <= set(anchors)
    assert ("attributions" in anchors) == ("attributions" in spec.inspections)
    assert callable(evaluation_of(task).gallery)


def test_a_learner_is_made_from_its_recipe():
    recipe = Recipe().set("training.balance", "weights").set("training.label_smoothing", 0.2)
    training = EncodedArray(torch.tensor([0, 1, 1, 1, 2, 2, 2, 2]))
    learner = task_spec("classification").learner(recipe, 3, training, {"temperature": 2.5})
    expected = compute_class_weight("balanced", classes=np.arange(3), y=[0, 1, 1, 1, 2, 2, 2, 2])
    assert learner.class_weights.tolist() == pytest.approx(expected.tolist())
    found = (learner.name, learner.num_classes, learner.label_smoothing, learner.temperature)
    assert found == ("classification", 3, 0.2, 2.5)
    trained = task_spec("classification").learner(recipe, 3)
    assert (trained.class_weights, trained.temperature) == (None, 1.0)
