"""Searching good settings: many trials of one variant, each scored on validation, chosen by Optuna."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
from rich.console import Console

from opsin.data.images import VALIDATION
from opsin.errors import OpsinError, RecipeError, TrainingInterrupted
from opsin.metrics.names import describe_score
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.storage.atomic import write_text
from opsin.studies.jobs import Job
from opsin.studies.runner import POLL, choose_workers, refuse_missing_data, stopping, wanted_study, worker_options
from opsin.studies.search_space import Search, read_search
from opsin.studies.study import Study
from opsin.studies.workers import Workers
from opsin.tasks.registry import TASKS
from opsin.workflow.request import RunOptions

FOUND = "found.toml"


def search_study(
    study: Study | str | Path,
    *,
    data: str | Path | None = None,
    trials: int | None = None,
    jobs: int | None = None,
    budget: float | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    quiet: bool = False,
) -> StudyFolder:
    """Try many values of some keys of a recipe, and write down the best by validation; test stays locked.

    What is tried next depends on how earlier trials went (the tree-structured Parzen estimator of Bergstra et al. 2011,
    as Optuna has it). Called again, it goes on until there are as many trials as were asked for. The best becomes a
    study of two variants, ``found.toml``, which `run_study` tests with several seeds.

    Args:
        study: A study with a table ``[search]``.
        data: The images; left out: those the study names.
        trials: How many in all; left out: as the study says.
        jobs: How many are trained side by side.
        budget: Minutes after which none goes on.
        settings: ``key=value`` for all trials.
        out: The folder; left out, ``runs/NAME-search``.
        data_root: A folder that holds named data sets.
        quiet: Say nothing.

    Raises:
        RecipeError: The study or its table is wrong, or Optuna is missing.
        DataError: The images cannot be read.
        OpsinError: Not one trial could be finished.
        TrainingInterrupted: Ctrl-C or a termination signal ended it; the same call goes on with it.
    """
    console = Console(quiet=quiet)
    study = wanted_study(study, data, None, (), settings)
    search = read_search(study)
    refuse_missing_data(study, data_root)
    task = study.variants[search.variant].recipe.task or "classification"
    study = replace(study, score=study.score or TASKS[task].main_score)
    total = trials or search.trials
    place = Path(out) if out is not None else Path("runs") / f"{study.name}-search"
    folder = StudyFolder.create(place, name=study.name, score=study.score, state="training", searched=search.variant)
    asked = _open(place, study)
    number, devices = choose_workers(study, jobs, total)
    shared = worker_options(number, RunOptions.create(data_root, inspect=False, open_test=False))
    deadline = time.monotonic() + 60 * budget if budget is not None else math.inf
    with stopping() as stopped, Workers(number, place / "logs", devices) as workers:
        console.print(f"{study.name}: {total} trials of {search.variant}, {number} at a time", highlight=False)
        _run(
            asked,
            study,
            search,
            total,
            workers,
            shared,
            place,
            console,
            lambda: stopped.is_set() or time.monotonic() > deadline,
        )
    folder.update(state="interrupted" if stopped.is_set() else "finished")
    if stopped.is_set():
        raise TrainingInterrupted(f"Stopped; nothing is lost in {place}. The same command resumes it.")
    _conclude(asked, study, search, folder, console)
    return folder


def _open(place: Path, study: Study) -> Any:
    """Return Optuna's study, in a file of the folder."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise RecipeError("Searching needs Optuna: pip install 'opsin[search]'.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lower = describe_score(study.score).lower_is_better
    return optuna.create_study(
        study_name="search",
        direction="minimize" if lower else "maximize",
        sampler=optuna.samplers.TPESampler(seed=study.seeds[0]),
        storage=JournalStorage(JournalFileBackend(str(place / "trials.log"))),
        load_if_exists=True,
    )


def _run(
    asked: Any,
    study: Study,
    search: Search,
    total: int,
    workers: Workers,
    shared: dict[str, Any],
    place: Path,
    console: Console,
    over: Any,
) -> None:
    """Keep all workers busy until there are enough trials."""
    from optuna.trial import Trial, TrialState

    # Those that a stopped search left in the middle of training.
    left = [Trial(asked, trial._trial_id) for trial in asked.get_trials(states=[TrialState.RUNNING])]
    begun = len(asked.get_trials(states=[TrialState.COMPLETE, TrialState.RUNNING, TrialState.FAIL]))
    places: dict[int, Path] = {}
    while not over():
        while workers.idle and (left or begun < total):
            trial = left.pop(0) if left else asked.ask()
            begun += trial.number >= begun
            recipe = study.variants[search.variant].recipe.merge({"seed": study.seeds[0]})
            for each in search.space:
                recipe = recipe.set(each.key, each.suggest(trial))
            places[trial.number] = place / f"trial-{trial.number}"
            job = Job(search.variant, study.seeds[0], places[trial.number], recipe).message | shared
            workers.start(trial.number, job)
        if not workers.running:
            return
        for number, said in workers.wait(POLL):
            if said["state"] == "finished":
                card = RunFolder(places[number]).scorecard[VALIDATION]
                if study.score not in card:
                    raise RecipeError(
                        f"{study.score} is no score of these data; say which decides, score = ..., in the study."
                    )
                value = card[study.score]["value"]
                asked.tell(number, value)
                best = asked.best_value
                console.print(f"trial {number}: {value:.4f} (best {best:.4f})", highlight=False)
            elif said["state"] == "failed":
                asked.tell(number, state=TrialState.FAIL)
                console.print(f"trial {number} failed: {said['why']}", highlight=False, markup=False, soft_wrap=True)


def _conclude(asked: Any, study: Study, search: Search, folder: StudyFolder, console: Console) -> None:
    """Write ``study.json`` and ``found.toml``."""
    from optuna.trial import TrialState

    done = asked.get_trials(states=[TrialState.COMPLETE])
    if not done:
        raise OpsinError(f"No trial of {study.name} could be finished; see what failed above.")
    ranges = {each.key: each for each in search.space}
    rows = [
        {
            "trial": trial.number,
            "run": f"trial-{trial.number}",
            "value": trial.value,
            "settings": {key: ranges[key].named(value) for key, value in trial.params.items()},
        }
        for trial in done
    ]
    lower = describe_score(study.score).lower_is_better
    rows.sort(key=lambda row: row["value"] if lower else -row["value"])
    folder.update(trials=rows, importance=_importance(asked, len(done)))
    write_text(folder.path / FOUND, tomli_w.dumps(found_study(study, search, rows[0]["settings"])))
    settings = ", ".join(f"{key} = {value}" for key, value in rows[0]["settings"].items())
    console.print(f"best of {len(rows)} by validation: {rows[0]['value']:.4f} with {settings}", highlight=False)
    console.print(
        f"The best of many is too good by its luck. Test it: opsin study run {folder.path / FOUND}",
        highlight=False,
        soft_wrap=True,
    )


def _importance(asked: Any, trials: int) -> dict[str, float]:
    """Return how much of the differences between trials each key explains; empty for too few trials."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if trials < 8:
        return {}
    return get_param_importances(asked, evaluator=PedAnovaImportanceEvaluator())


def found_study(study: Study, search: Search, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a study that sets what was found beside what it was found from."""
    before = study.variants[search.variant].recipe
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        inner = changes
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    recipe = {key: value for key, value in Recipe.to_dict(before).items() if key != "seed"}
    return {
        "name": f"{study.name}-found",
        "question": f"Is what the search found better than {search.variant}?",
        "seeds": [seed + 1 for seed in range(3)],
        "score": study.score,
        "base": search.variant,
        "recipe": recipe,
        "variants": {"found": {"asks": "Does it hold for new seeds and on test?", **changes}},
    }
