from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from opsin.inspection import INSPECTIONS
from opsin.metrics.names import DETAILS, SCORES
from opsin.recipe.recipe import Recipe, settings
from opsin.reporting.sections import SECTIONS
from opsin.tasks.registry import TASKS, Part, part_of

PARTS = list(Part.__args__)
OF_HEAT_MAPS = ("explain", "ask")


@pytest.mark.parametrize("task", TASKS)
def test_every_part_of_every_task_is_there(task):
    explained = "attributions" in TASKS[task].inspections
    assert list(TASKS[task].parts) == [part for part in PARTS if explained or part not in OF_HEAT_MAPS]
    assert all(callable(part_of(task, part)) for part in TASKS[task].parts)
    assert ("looking" in TASKS[task].sections) == explained


def test_recipes_know_the_tasks_of_the_table():
    choices = next(item.metadata["choices"] for key, item, _ in settings() if key == "task")
    assert list(choices) == list(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_reading_results_needs_no_torch(task):
    program = (
        "import sys; from opsin.tasks.registry import part_of\n"
        "for part in ('write', 'read', 'answers', 'score', 'select', 'judge', 'head', 'captions', 'measure'):\n"
        f"    part_of({task!r}, part)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("task", TASKS)
def test_scores_sections_and_examinations_of_a_task_are_known(task):
    entry = TASKS[task]
    assert {entry.main_score, entry.learning, *entry.compared} <= set(entry.scores) <= set(SCORES)
    assert set(entry.details) <= set(DETAILS)
    assert set(entry.sections) <= {section.anchor for section in SECTIONS}
    assert set(entry.inspections) <= set(INSPECTIONS)


def test_a_task_is_made_from_its_recipe():
    recipe = Recipe().set("training.balance", "weights").set("training.label_smoothing", 0.2)
    training = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2])
    task = part_of("classification", "create")(recipe, 3, training, {"temperature": 2.5})
    expected = compute_class_weight("balanced", classes=np.arange(3), y=[0, 1, 1, 1, 2, 2, 2, 2])
    assert task.class_weights.tolist() == pytest.approx(expected.tolist())
    assert (task.name, task.num_classes, task.label_smoothing, task.temperature) == ("classification", 3, 0.2, 2.5)
    trained = part_of("classification", "create")(recipe, 3)
    assert (trained.class_weights, trained.temperature) == (None, 1.0)
