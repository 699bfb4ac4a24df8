"""Reproduction: commands, recipe, machine."""

from __future__ import annotations

import shlex
from typing import Any

import tomli_w

from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.privacy import anonymous_machine, anonymous_recipe
from opsin.runs.folder import RunFolder


def facts(page: Page) -> dict[str, Any]:
    """Return the commands, the recipe and the machine."""
    run, anonymous = page.run, page.anonymous
    return {
        "commands": _commands(run, anonymous=anonymous),
        "recipe": tomli_w.dumps(anonymous_recipe(run.recipe)) if anonymous else run.recipe.to_toml(),
        "machine": _machine(run, anonymous=anonymous),
    }


def _commands(run: RunFolder, *, anonymous: bool) -> str:
    path = "RUN" if anonymous else shlex.quote(str(run.path))
    train = "opsin train DATA --recipe recipe.toml" if anonymous else f"opsin train --recipe {path}/recipe.toml"
    made = run.info.get("ensemble")
    if made is not None:
        members = ["RUN" if anonymous else shlex.quote(member["run"]) for member in made["members"]]
        train = " ".join(["opsin ensemble", *members, *(["--soup"] if made["kind"] == "soup" else [])])
    return "\n".join(
        (
            "# train it again" if made is None else "# build the ensemble again",
            train,
            "# score it on other labelled images",
            f"opsin evaluate {path} OTHER_IMAGES",
            "# predict new images",
            f"opsin predict {path} IMAGES --out predictions.csv",
        )
    )


def _machine(run: RunFolder, *, anonymous: bool) -> list[tuple[str, Any]]:
    info = run.info
    machine = info.get("machine", {})
    if anonymous:
        machine = anonymous_machine(machine)
    titles = {
        "device": "Device",
        "device_name": "Device name",
        "processor": "Processor",
        "cores": "Cores",
        "system": "System",
        "python": "Python",
        "torch": "PyTorch",
    }
    shown = [(title, machine[key]) for key, title in titles.items() if machine.get(key) not in (None, "")]
    identity = [("Opsin", info.get("opsin", "")), ("Recipe", info.get("recipe", ""))]
    if not anonymous:
        identity.insert(0, ("Run", run.name))
    fingerprint = info.get("data", {}).get("fingerprint", "")
    return identity + ([("Data fingerprint", fingerprint)] if fingerprint else []) + shown
