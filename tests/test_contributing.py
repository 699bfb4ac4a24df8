"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = ("Add a network", "Add a reader", "Add a loss", "Add a metric", "Add a section to the report")
BLOCK = re.compile(r"^( *)```\w+\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(title: str) -> list[str]:
    """The blocks of code of one recipe, as they stand in the file."""
    [section] = re.findall(rf"^## {title}$(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(body) for _, body in BLOCK.findall(section)]


def follow(block: str, copy: Path) -> str | None:
    """Do what a block says; return the program where it is one to try."""
    first, _, body = block.partition("\n")
    words = first.strip("# ").removeprefix("<!-- ").removesuffix(" -->")
    if words == "try it":
        return body
    kind = next(kind for kind in ("new file ", "add to ", "replace in ") if words.startswith(kind))
    path, _, where = words.removeprefix(kind).partition(" after" if kind == "add to " else ":")
    file = copy / path.strip()
    if kind == "new file ":
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body, encoding="utf-8")
        return None
    text, where = file.read_text(encoding="utf-8"), where.lstrip(": ")
    if kind == "replace in ":
        assert text.count(where) == 1, f"{path} holds {where!r} {text.count(where)} times"
        file.write_text(text.replace(where, body.strip()), encoding="utf-8")
    elif where == "the end":
        file.write_text(text + body, encoding="utf-8")
    else:
        line, docstring = where.removeprefix("end of docstring of: "), where.startswith("end of docstring of")
        assert text.count(line) == 1, f"{path} holds {line!r} {text.count(line)} times"
        start = text.index(line)
        if docstring:
            start = text.index('"""', text.index('"""', start) + 3)
        elif "(" in text[start : text.index("\n", start)] and line.endswith("import"):
            start = text.index(")", start)
        end = text.index("\n", start) + 1
        file.write_text(text[:end] + body + text[end:], encoding="utf-8")
    return None


@pytest.mark.parametrize("title", RECIPES)
def test_the_recipe_works_as_it_stands(title: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    programs = [program for block in blocks(title) if (program := follow(block, tmp_path)) is not None]
    assert len(programs) == 1
    (tmp_path / "work").mkdir()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", programs[0]], cwd=tmp_path / "work", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_recipe_that_adds_something_is_followed_or_proved_elsewhere() -> None:
    titles = set(re.findall(r"^## (Add .*)$", TEXT, re.MULTILINE))
    elsewhere = {"Add a task", "Add something that `opsin check` finds", "Add a setting"}
    assert titles == {*RECIPES, *elsewhere}
