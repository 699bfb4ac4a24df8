"""Results of a study: a row per variant, differences from parents, and the best variant on validation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np

from opsin.data.images import TEST, VALIDATION
from opsin.errors import RunError
from opsin.evaluation.comparison.compare import compare
from opsin.evaluation.comparison.differences import Difference
from opsin.evaluation.comparison.result import Comparison
from opsin.evaluation.comparison.wording import p_words, what_it_takes
from opsin.evaluation.verdict.finding import score_words
from opsin.metrics.names import describe_score
from opsin.runs.folded_run import FoldedRun
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.storage.atomic import write_json
from opsin.studies.study import Study
from opsin.tasks.registry import task_spec

COMPARISON = "comparison.json"


class FindingCount(TypedDict):
    """A kind of finding in the verdicts of a variant's runs, and the number of runs that have it."""

    kind: str
    severity: str
    runs: int


class VariantRow(TypedDict):
    """The row of a variant in ``study.json``.

    Attributes:
        name: Name of the variant.
        parent: Its parent.
        asks: The question it answers.
        changes: Dotted key -> value of the keys that differ from the parent.
        published: Score -> published value.
        runs: Names of the run folders.
        seeds: Training seeds.
        values: Test score of each seed.
        mean: Mean of the values.
        deviation: Standard deviation of the values; None for one seed.
        interval: 95 % interval of the mean.
        validation: Mean validation score.
        network: Name of the network.
        parameters: Number of parameters.
        macs: Multiply-accumulate operations per image.
        epochs: Mean number of epochs.
        seconds: Mean training time.
        images_per_second: Mean throughput of training.
        threads: Number of threads.
        difference: Difference from the parent, with a sentence.
        findings: Findings of the verdicts.
        apart: Whether it is excluded from the comparison, as its classes differ.
    """

    name: str
    parent: str | None
    asks: str
    changes: dict[str, Any]
    published: dict[str, float]
    runs: list[str]
    seeds: list[int]
    values: list[float]
    mean: float
    deviation: float | None
    interval: list[float] | None
    validation: float
    network: str
    parameters: int
    macs: int
    epochs: float
    seconds: float | None
    images_per_second: float | None
    threads: int | None
    difference: dict[str, Any] | None
    findings: list[FindingCount]
    apart: bool


def conclude_study(study: Study, folder: StudyFolder) -> None:
    """Write the results of the finished runs to ``study.json``, and their comparison to ``comparison.json``."""
    finished = {name: found for name in study.variants if (found := folder.runs(name))}
    task = next(iter(finished.values()))[0].task
    runs = {name: found for name, found in finished.items() if found[0].task == task}
    study = replace(study, score=study.score or task_spec(task).main_metric)
    comparable = _comparable(runs)
    comparison, reason = _compare(study, comparable)
    if comparison is not None:
        write_json(folder.path / COMPARISON, comparison.to_dict())
    else:
        (folder.path / COMPARISON).unlink(missing_ok=True)
    rows = [_row(study, name, found, comparison, apart=name not in comparable) for name, found in runs.items()]
    sign = -1 if describe_score(study.score).lower_is_better else 1
    best = max((row for row in rows if not row["apart"]), key=lambda row: sign * row["validation"])
    notes = [_other_task(name, task, finished[name][0].task) for name in finished if name not in runs]
    notes += [_apart(name, next(iter(runs)), runs) for name in runs if name not in comparable]
    notes += [] if reason is None else [f"The variants could not be compared image by image: {reason}"]
    if comparison is not None:
        notes += [note for note in comparison.notes if "--seed" not in note and "--split" not in note]
        notes += [finding.sentence for finding in comparison.findings]
    first = folder.runs(rows[0]["name"])[0].info
    folder.update(
        score=study.score,
        rows=rows,
        best=best["name"],
        sentence=_sentence(study, rows, best),
        notes=notes,
        methods=[] if comparison is None else comparison.methods,
        machine=first.get("machine", {}),
        tested=None if comparison is None else comparison.images,
    )


def _comparable(runs: dict[str, list[RunFolder]]) -> dict[str, list[RunFolder]]:
    """Return the variants with the same classes as the first one; the others solve a different problem."""
    first = next(iter(runs.values()))[0]
    return {name: found for name, found in runs.items() if sorted(found[0].classes) == sorted(first.classes)}


def _other_task(name: str, wanted: str, task: str) -> str:
    return f"{name} does {task} and the first variant {wanted}; its scores are in its own report."


def _apart(name: str, first: str, runs: dict[str, list[RunFolder]]) -> str:
    number, wanted = (len(runs[each][0].classes) for each in (name, first))
    return (
        f"{name} has {number:,} classes and {first} {wanted:,}, which is a different problem: it is neither compared "
        "nor ranked with the others."
    )


def _compare(study: Study, runs: dict[str, list[RunFolder]]) -> tuple[Comparison | None, str | None]:
    """Compare each variant with its parent over all finished runs, or return the reason why that is impossible."""
    every = [run for found in runs.values() for run in found]
    names = {run.path: name for name, found in runs.items() for run in found}
    if len(every) < 2:
        return None, None
    try:
        return compare(every, score=study.score, names=names, pairs=_pairs(study, runs)), None
    except RunError as error:
        return None, str(error)


def _pairs(study: Study, runs: dict[str, list[RunFolder]]) -> list[tuple[str, str]]:
    """Return each finished variant with its nearest finished ancestor."""
    pairs = []
    for name in runs:
        parent = study.variants[name].parent
        while parent in study.variants and parent not in runs:
            parent = study.variants[parent].parent
        if parent in runs:
            pairs.append((name, parent))
    return pairs


def _row(study: Study, name: str, runs: list[RunFolder], comparison: Comparison | None, apart: bool) -> VariantRow:
    """Return the row of a variant in the table of results."""
    variant = study.variants[name]
    cards = [run.scorecard for run in runs]
    values = [card[TEST][study.score]["value"] for card in cards]
    infos = [run.info for run in runs]
    network = infos[0]["network"]
    compared = next((each for each in comparison.recipes if each.name == name), None) if comparison else None
    own = cards[0][TEST][study.score]
    bounds = compared.bounds.get(study.score) if compared and compared.bounds else (own["low"], own["high"])
    verdicts = Counter((finding["kind"], finding["severity"]) for run in runs for finding in _once(run.verdict))
    return {
        "name": name,
        "parent": variant.parent,
        "asks": variant.asks,
        "changes": variant.changes,
        "published": dict(variant.published),
        "runs": [part.name for run in runs for part in (run.folds if isinstance(run, FoldedRun) else [run])],
        "seeds": [run.recipe.seed for run in runs],
        "values": values,
        "mean": float(np.mean(values)),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "interval": [float(bound) for bound in bounds] if bounds is not None else None,
        "validation": float(np.mean([card[VALIDATION][study.score]["value"] for card in cards])),
        "network": network["name"],
        "parameters": network["parameters"],
        "macs": network["macs"],
        "epochs": float(np.mean([len(run.history) for run in runs])),
        "seconds": _mean([info.get("seconds") for info in infos]),
        "images_per_second": _mean([info.get("throughput", {}).get("training") for info in infos]),
        "threads": infos[0].get("machine", {}).get("threads"),
        "difference": _difference(name, study, comparison),
        "findings": [
            {"kind": kind, "severity": severity, "runs": count} for (kind, severity), count in verdicts.items()
        ],
        "apart": apart,
    }


def _mean(values: list[float | None]) -> float | None:
    """Return the mean of the known values; None for ensembles, which have no training time."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _once(findings: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return one finding of each kind."""
    return list({finding["kind"]: finding for finding in findings}.values())


def _difference(name: str, study: Study, comparison: Comparison | None) -> dict[str, Any] | None:
    """Return the difference of a variant from its parent in the deciding score, with its sentence."""
    if comparison is None:
        return None
    names = [recipe.name for recipe in comparison.recipes]
    for each in comparison.differences:
        if names[each.first] == name and each.score == study.score:
            return each.to_dict() | {
                "parent": names[each.second],
                "sentence": _about(each, names, comparison.groups is not None),
                "outcome": _outcome(each),
            }
    return None


def _outcome(difference: Difference) -> str:
    return "same" if difference.better is None else "better" if difference.better == difference.first else "worse"


def _about(difference: Difference, names: list[str], grouped: bool) -> str:
    parent = names[difference.second]
    measured = (
        f"{difference.value:+.4f}, {difference.low:+.4f} to {difference.high:+.4f}, {p_words(difference.corrected)}"
    )
    if difference.better is None:
        return f"No significant difference from {parent} ({measured}): {what_it_takes(difference, grouped)}."
    word = "Better" if difference.better == difference.first else "Worse"
    return f"{word} than {parent} ({measured})."


def _sentence(study: Study, rows: list[VariantRow], best: VariantRow) -> str:
    """Summarize the results in one sentence or a few."""
    name = score_words(study.score)
    several = f" (mean of {len(best['values'])} seeds)" if len(best["values"]) > 1 else ""
    said = f"{best['name']} is best on validation; its {name} on test is {best['mean']:.4f}{several}"
    if best["interval"]:
        said += f", 95 % interval {best['interval'][0]:.4f} to {best['interval'][1]:.4f}"
    said += "."
    for outcome, words in (("better", "better than its parent"), ("worse", "worse than its parent")):
        found = [row["name"] for row in rows if row["difference"] and row["difference"]["outcome"] == outcome]
        if found:
            said += f" {words.capitalize()}: {', '.join(found)}."
    same = [row["name"] for row in rows if row["difference"] and row["difference"]["outcome"] == "same"]
    if same:
        said += f" No significant difference from its parent: {', '.join(same)}."
    return said
