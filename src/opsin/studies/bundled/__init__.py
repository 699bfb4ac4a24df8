"""Studies bundled with Opsin: name -> TOML file in this folder."""

from __future__ import annotations

from pathlib import Path

STUDIES = {
    "mnist": "mnist.toml",
    "fashion-mnist": "fashion-mnist.toml",
    "cats-dogs": "cats-dogs.toml",
    "cifar100-transfer": "cifar100-transfer.toml",
    "cifar100-scratch": "cifar100-scratch.toml",
    "blood-cells": "blood-cells.toml",
    "skin-lesions": "skin-lesions.toml",
    "cancer-cells": "cancer-cells.toml",
    "warwick-glands": "warwick-glands.toml",
    "voc-foreground": "voc-foreground.toml",
    "mars-terrain": "mars-terrain.toml",
}


def bundled_file(name: str) -> Path:
    """Return the TOML file of a bundled study."""
    return Path(__file__).with_name(STUDIES[name])


def list_studies() -> list[str]:
    """Return the names of the bundled studies."""
    return list(STUDIES)
