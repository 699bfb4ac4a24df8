"""Several trained runs as one: the mean of their predictions, or one network with the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn
from torch.optim.swa_utils import update_bn

from opsin.data.batches import gather
from opsin.data.dataset import Dataset
from opsin.data.images import TEST, TRAIN, VALIDATION
from opsin.data.preprocessing import Preprocessing
from opsin.errors import RunError
from opsin.evaluation.verdict.finding import with_interval
from opsin.metrics.names import describe_score
from opsin.networks.ensemble import Ensemble
from opsin.networks.summary import summarize
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.runtime.machine import describe_machine, this_process
from opsin.storage.safetensors import load_weights, read_tensors, save_weights
from opsin.tasks.registry import task_spec
from opsin.training.initial_weights import Source
from opsin.training.session import Evaluator
from opsin.workflow.evaluate import prepare_again
from opsin.workflow.request import free_place
from opsin.workflow.run import Run
from opsin.workflow.train import finish, write_tables

AT_ONCE = 256  # images in one pass for the statistics of batch normalization


def ensemble(
    runs: Sequence[Run | str | Path],
    *,
    soup: bool = False,
    out: str | Path | None = None,
    data: Dataset | None = None,
    inspect: bool = True,
    quiet: bool = False,
) -> Run:
    """Make one run of several that were trained on the same images, and score it as they were scored.

    Its folder holds the weights of all of them, so that they may be moved or deleted.

    Args:
        runs: Two or more finished runs or their folders.
        soup: Average the weights of runs of one network (Wortsman et al. 2022), which have to start from the same
            weights, in the place of the predictions.
        out: The folder of the new run; left out, one in ``runs``.
        data: The runs' own data again, where they were given as a `Dataset`.
        inspect: Inspect it further, as at the end of training.
        quiet: Say nothing.

    Returns:
        The new run, which evaluates, predicts and compares like any other.

    Raises:
        RunError: There are too few runs, one is not finished, or they do not go together.
    """
    members = [(run if isinstance(run, Run) else Run(run)).folder for run in runs]
    _check(members, soup)
    if out is not None:
        RunFolder.check_free(Path(out))
    console, first = Console(quiet=quiet), members[0]
    prepared = prepare_again(first, data, console)
    recipe = _recipe(members, soup)
    place = Path(out) if out is not None else free_place(Path("runs"), f"{prepared.dataset.name}-ensemble", recipe)
    recipe = recipe.merge({"network": {"weights": str(place.resolve())}})
    network = task_spec(first.task).network(recipe, len(first.classes))
    ready = Evaluator(replace(prepared, recipe=recipe), network)
    if soup:
        _stir(ready, members)
    else:
        _fill(network, members)
    shape = (prepared.preprocessing.channels, prepared.preprocessing.height, prepared.preprocessing.width)
    kind = "mean of the weights" if soup else "mean of the predictions"
    console.print(f"{kind} of {len(members)} runs: {', '.join(member.name for member in members)}", highlight=False)
    folder = RunFolder.create(
        place,
        recipe,
        process=this_process(),
        inspect=inspect,
        data_root=first.info.get("data_root", ""),
        machine=describe_machine(ready.fabric.device),
        data=first.info["data"],
        network={"name": recipe.network.name, "weights": f"of {len(members)} runs", **summarize(network, shape)},
        ensemble={"kind": "soup" if soup else "mean", "members": [_describe(member) for member in members]},
    )
    folder.write("audit.json", first.audit)
    folder.write("looks.jsonl", [look for member in members for look in _looks(member)])
    write_tables(folder, ready)
    save_weights(folder.path / "best.safetensors", ready.network)
    run = finish(folder, ready, console, "opsin ensemble")
    _print_members(console, run.folder)
    return run


def _check(members: Sequence[RunFolder], soup: bool) -> None:
    """Raise unless runs can be made one.

    Raises:
        RunError: They cannot.
    """
    if len({member.path.resolve() for member in members}) < max(2, len(members)):
        raise RunError("An ensemble needs two or more runs, each named once.")
    first = members[0]
    for member in members:
        if member.info["state"] != "finished":
            raise RunError(f"{member.path} is not finished; go on with it first: opsin train --resume {member.path}")
        if member.info["data"]["fingerprint"] != first.info["data"]["fingerprint"] and _sight(member) == _sight(first):
            raise RunError(
                f"{member.path} and {first.path} share their images out differently, or are of different images; an "
                f"ensemble needs one split: train with --split-file {first.path}."
            )
        for what, value in (("tasks", _task), ("classes", _classes), ("sizes or channels of images", _sight)):
            if value(member) != value(first):
                raise RunError(f"{member.path} and {first.path} have different {what}, so they cannot be one run.")
        if soup and (_network(member), _statistics(member)) != (_network(first), _statistics(first)):
            raise RunError(
                f"{member.path} and {first.path} differ in network, options or preprocessing, so their weights have no "
                "mean; leave out --soup to average what they predict."
            )


def _task(member: RunFolder) -> str:
    return member.task


def _classes(member: RunFolder) -> tuple[str, ...]:
    return member.classes


def _preprocessing(member: RunFolder) -> Preprocessing:
    return Preprocessing.from_dict(member.read("preprocessing.json"))


def _sight(member: RunFolder) -> tuple[Any, ...]:
    """Return what the pixels depend on."""
    own = _preprocessing(member)
    return own.height, own.width, own.channels, own.resize, own.bits, member.recipe.data.tta


def _statistics(member: RunFolder) -> tuple[Any, ...]:
    own = _preprocessing(member)
    return own.mean, own.std


def _network(member: RunFolder) -> tuple[Any, ...]:
    network = member.recipe.network
    return network.name, network.options


def _recipe(members: Sequence[RunFolder], soup: bool) -> Recipe:
    """Return the first run's recipe with the network of the ensemble.

    Whoever trains by it begins from the ensemble's weights, so that what is left of how its members began is taken out.
    """
    first = members[0].recipe
    training: dict[str, Any] = {"freeze_epochs": 0, "trainable_layers": 0, "layer_decay": 1.0, "device": "auto"}
    recipe = first.merge({"training": training, "network": {"pretrained": False, "weights": ""}})
    if soup:
        return recipe
    networks = [member.recipe.network for member in members]
    parts = [{"name": each.name, "dropout": each.dropout, "options": each.options} for each in networks]
    options = {
        "members": parts,
        "average": task_spec(members[0].task).averaging,
    }
    return replace(recipe, network=replace(recipe.network, name="ensemble", dropout=0.0, options=options))


def _fill(network: nn.Module, members: Sequence[RunFolder]) -> None:
    """Give each member of an ensemble the weights of its run; the ensemble sees images as the first run does."""
    assert isinstance(network, Ensemble)
    given = _preprocessing(members[0])
    for member, part in zip(members, network.members, strict=True):
        load_weights(member.path / "best.safetensors", part.get_submodule("network"))
        part.translate(given, _preprocessing(member))  # type: ignore[operator]


def _stir(ready: Evaluator, members: Sequence[RunFolder]) -> None:
    """Give a network the mean of the weights of runs, and statistics of batch normalization that go with it.

    Those of the runs go with other weights; they are recomputed over the training images (Izmailov et al. 2018).
    """
    states = [read_tensors(member.path / "best.safetensors")[0] for member in members]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    ready.network.load_state_dict(mean)
    prepared, device = ready.prepared, ready.fabric.device
    rows = torch.from_numpy(prepared.split.indices(TRAIN)).split(AT_ONCE)
    batches = (prepared.preprocessing.standardize(gather(prepared.pixels.images, some, device)) for some in rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(prepared.recipe.seed)
        update_bn(batches, ready.network, device)


def _describe(member: RunFolder) -> dict[str, Any]:
    """Return what the ensemble's ``run.json`` says of a member; its scores are those on the same images."""
    main = task_spec(member.task).main_metric
    scores = {split: member.scorecard[split][main] for split in (VALIDATION, TEST) if split in member.scorecard}
    return {
        "run": str(member.path.resolve()),
        "name": member.name,
        "network": member.recipe.network.name,
        "fingerprint": Source(member.path / "best.safetensors", member).fingerprint,
        "scores": scores,
    }


def _looks(member: RunFolder) -> list[dict[str, Any]]:
    """Return the looks that a member had at locked images, which are the ensemble's too."""
    return [look | {"why": f"{look['why']}, of the member {member.name}"} for look in member.looks]


def _print_members(console: Console, folder: RunFolder) -> None:
    """Say what the members and the ensemble reach on validation, by which members are to be chosen."""
    main = task_spec(folder.task).main_metric
    rows = [(member["name"], member["scores"].get(VALIDATION)) for member in folder.info["ensemble"]["members"]]
    for name, score in [*rows, (folder.name, folder.scorecard[VALIDATION][main])]:
        if score is not None:
            words = f"validation {describe_score(main).words} {with_interval(score)}"
            console.print(f"  {name}: {words}", highlight=False, markup=False)
