"""Hyperparameter search: trials of one variant, chosen by Optuna and scored on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from opsin.studies.jobs import Job, JobResult, WorkerOptions
from opsin.studies.runner import POLL, check_data, choose_workers, resolve_study, stopping, worker_options
from opsin.studies.search_space import Search, read_search
from opsin.studies.study import Study
from opsin.studies.workers import Workers
from opsin.tasks.registry import task_spec

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
    """Search values of some keys of a recipe by the validation score; the test split is not opened.

    Each trial is proposed from the results of the earlier ones (tree-structured Parzen estimator, Bergstra et al. 2011,
    as implemented in Optuna). A second call resumes the search until the number of trials is reached. The best trial
    becomes a study of two variants, ``found.toml``, which `run_study` tests with several seeds.

    Args:
        study: A study with a table ``[search]``.
        data: The images; default: those of the study.
        trials: Total number of trials; default: as in the study.
        jobs: Number of trials trained in parallel.
        budget: Time budget in minutes; after it all trials stop.
        settings: ``key=value`` for all trials.
        out: Folder of the trials; default: ``runs/NAME-search``.
        data_root: Folder of named datasets.
        quiet: Print nothing.

    Raises:
        RecipeError: The study or its table is invalid, or Optuna is not installed.
        DataError: The images cannot be read.
        OpsinError: No trial could be finished.
        TrainingInterrupted: Ctrl-C or a termination signal; the same call resumes the search.
    """
    console = Console(quiet=quiet)
    study = resolve_study(study, data, None, (), settings)
    search = read_search(study)
    check_data(study, data_root)
    task = study.variants[search.variant].recipe.task or "classification"
    study = replace(study, score=study.score or task_spec(task).main_metric)
    search = replace(search, trials=trials or search.trials)
    place = Path(out) if out is not None else Path("runs") / f"{study.name}-search"
    folder = StudyFolder.create(place, name=study.name, score=study.score, state="training", searched=search.variant)
    sampled = _Trials(_open(place, study), study, search, place, console)
    number, devices = choose_workers(study, jobs, search.trials)
    options = worker_options(number, data_root, open_test=False)
    deadline = time.monotonic() + 60 * budget if budget is not None else math.inf
    with stopping() as stopped, Workers(number, place / "logs", devices) as workers:
        console.print(
            f"{study.name}: {search.trials} trials of {search.variant}, {number} in parallel", highlight=False
        )
        sampled.run(workers, options, lambda: stopped.is_set() or time.monotonic() > deadline)
    folder.update(state="interrupted" if stopped.is_set() else "finished")
    if stopped.is_set():
        raise TrainingInterrupted(f"Stopped; nothing is lost in {place}. The same command resumes the search.")
    _conclude(sampled.optuna, study, search, folder, console)
    return folder


def _open(place: Path, study: Study) -> Any:
    """Open Optuna's study, a file in the folder."""
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


@dataclass(frozen=True)
class _Trials:
    """The trials of a search.

    Attributes:
        optuna: Optuna's study, which proposes the trials.
        study: The study, with a score.
        search: The search space and the number of trials.
        folder: Each trial is trained in a folder below it.
        console: Output console.
    """

    optuna: Any
    study: Study
    search: Search
    folder: Path
    console: Console

    def run(self, workers: Workers, options: WorkerOptions, over: Callable[[], bool]) -> None:
        """Distribute trials to the workers until their number is reached or ``over()``."""
        from optuna.trial import Trial, TrialState

        # Trials that a stopped search left unfinished.
        left = [Trial(self.optuna, trial._trial_id) for trial in self.optuna.get_trials(states=[TrialState.RUNNING])]
        begun = len(self.optuna.get_trials(states=[TrialState.COMPLETE, TrialState.RUNNING, TrialState.FAIL]))
        while not over():
            while workers.idle and (left or begun < self.search.trials):
                trial = left.pop(0) if left else self.optuna.ask()
                begun += trial.number >= begun
                workers.start(trial.number, {**self.job(trial).message, **options})
            if not workers.running:
                return
            for number, result in workers.wait(POLL):
                self.record(number, result)

    def place(self, number: int) -> Path:
        """Return the run folder of a trial."""
        return self.folder / f"trial-{number}"

    def job(self, trial: Any) -> Job:
        """Return the job of a trial, with the suggested values."""
        seed = self.study.seeds[0]
        recipe = self.study.variants[self.search.variant].recipe.merge({"seed": seed})
        for each in self.search.space:
            recipe = recipe.set(each.key, each.suggest(trial))
        return Job(self.search.variant, seed, self.place(trial.number), recipe)

    def record(self, number: int, result: JobResult) -> None:
        """Report the result of a trial to Optuna and on the console."""
        from optuna.trial import TrialState

        if result["state"] == "finished":
            card = RunFolder(self.place(number)).scorecard[VALIDATION]
            score = self.study.score
            if score not in card:
                raise RecipeError(f"{score} is not a score of this task; set another one in the study, score = ...")
            value = card[score]["value"]
            self.optuna.tell(number, value)
            self.console.print(f"trial {number}: {value:.4f} (best {self.optuna.best_value:.4f})", highlight=False)
        elif result["state"] == "failed":
            self.optuna.tell(number, state=TrialState.FAIL)
            text = f"trial {number} failed: {result['why']}"
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _conclude(optuna: Any, study: Study, search: Search, folder: StudyFolder, console: Console) -> None:
    """Write ``study.json`` and ``found.toml``."""
    from optuna.trial import TrialState

    done = optuna.get_trials(states=[TrialState.COMPLETE])
    if not done:
        raise OpsinError(f"No trial of {study.name} could be finished; the errors are above.")
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
    folder.update(trials=rows, importance=_importance(optuna, len(done)))
    write_text(folder.path / FOUND, tomli_w.dumps(found_study(study, search, rows[0]["settings"])))
    settings = ", ".join(f"{key} = {value}" for key, value in rows[0]["settings"].items())
    console.print(f"best of {len(rows)} on validation: {rows[0]['value']:.4f} with {settings}", highlight=False)
    console.print(
        "The best of many trials is optimistically biased. Test it with new seeds: opsin study run "
        f"{folder.path / FOUND}",
        highlight=False,
        soft_wrap=True,
    )


def _importance(optuna: Any, trials: int) -> dict[str, float]:
    """Return the importance of each key (PED-ANOVA); empty for fewer than eight trials."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if trials < 8:
        return {}
    return get_param_importances(optuna, evaluator=PedAnovaImportanceEvaluator())


def found_study(study: Study, search: Search, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a study that compares the settings found with the original ones."""
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
        "variants": {"found": {"asks": "Does the gain hold on the test split and with new seeds?", **changes}},
    }
