"""Every block of code on every page runs, page by page and from top to bottom, and prints what the page says it prints.

A block is skipped only where the line before it is ``<!-- not run: reason -->``. ``<!-- file: NAME -->`` before a block
writes it to a file. A ``text`` block right after a block that runs is its output; ``...`` stands for anything.
"""

import contextlib
import doctest
import inspect
import io
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import opsin
from opsin.cli import VERBS, app
from opsin.cli.recipe import _markdown
from opsin.cli.study import markdown_table
from opsin.recipe.recipe import settings
from opsin.studies.bundled import STUDIES
from opsin.studies.study import Study

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = ("python", "sh", "text", "toml", "csv")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A fenced block: its language, its text, its line, and the comment on the line before it."""

    language: str
    text: str
    line: int
    comment: str


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            comment = next((text for text in reversed(lines[:start]) if text.strip()), "")
            yield Block(lines[start][3:].strip(), "\n".join(lines[start + 1 : number]), start + 1, comment)
            start = None
    assert start is None, f"{page.name}: the block at line {start} is not closed"


def run_shell(text: str) -> str:
    """Run lines of ``opsin ...`` and return what they print; ``> file`` writes it to a file instead."""
    printed = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "opsin", f"a test runs only opsin: {line}"
        target = words[words.index(">") + 1] if ">" in words else None
        arguments = words[1 : words.index(">")] if target else words[1:]
        result = CliRunner().invoke(app, arguments, prog_name="opsin")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        expected = 2 if "# exit code 2" in line else 0
        assert result.exit_code == expected, f"{line}\n{result.output}"
        if target:
            Path(target).write_text(result.stdout, encoding="utf-8")
        else:
            printed.append(result.output)
    return "".join(printed)


def run_python(text: str, names: dict, where: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(text, where, "exec"), names)
    return output.getvalue()


def make_photos(folder: Path) -> None:
    """Make the folder of photographs that the README speaks of: two classes of 24x24 color images."""
    digits = load_digits()
    for name, label in (("cat", 0), ("dog", 1)):
        (folder / name).mkdir(parents=True)
        for number, pixels in enumerate(digits.images[digits.target == label][:60]):
            color = np.repeat((np.kron(pixels, np.ones((3, 3))) * 15.9).astype(np.uint8)[..., None], 3, axis=2)
            Image.fromarray(color).save(folder / name / f"{number:03}.png")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    make_photos(tmp_path / "photos")
    names: dict = {"__name__": "__main__"}
    output: str | None = None
    for block in blocks(page):
        where = f"{page.name}, line {block.line}"
        assert block.language in LANGUAGES, f"{where}: no test knows how to run {block.language!r}"
        if block.comment.startswith("<!-- not run: "):
            output = None
            continue
        if file := re.fullmatch(r"<!-- file: (\S+) -->", block.comment):
            Path(file[1]).write_text(block.text + "\n", encoding="utf-8")
        elif block.language == "python":
            output = run_python(block.text, names, where)
        elif block.language == "sh":
            output = run_shell(block.text)
        elif block.language == "text":
            assert output is not None, f"{where}: there is nothing that could have printed this"
            shown = doctest.OutputChecker().check_output(block.text + "\n", output, OPTIONS)
            assert shown, f"{where}: the page shows\n{block.text}\nbut it prints\n{output}"
        else:
            raise AssertionError(f"{where}: say with <!-- file: NAME --> where this {block.language} goes")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text):
        target = target[0] or target[1]
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_every_key_of_the_recipe_is_explained() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    for key, item, _ in settings():
        assert f"`{key}`" in page
        assert item.metadata["help"].replace("|", "\\|") in page
    assert "\n".join(_markdown()) in page, "renew the table with: opsin recipe keys --markdown"


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_section(name: str) -> None:
    page = (ROOT / "docs" / "bundled-studies.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    study = Study.read(name)
    assert study.question in section and f"opsin study run {name}" in section
    assert "\n".join(markdown_table(study)) in section, f"renew the table with: opsin study show {name} --markdown"


def test_every_term_of_the_glossary_has_two_lines() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = [block for block in text.split("\n\n") if block.startswith("**")]
    assert len(entries) >= 30
    for entry in entries:
        assert entry.count("<br>\n") == 2 and len(entry.splitlines()) == 3, entry


def test_every_command_is_explained() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert re.search(rf"^#+ `opsin {verb}\b", page, re.MULTILINE), f"docs/commands.md says nothing of {verb}"


def test_every_public_name_is_explained() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in opsin.__all__:
        assert re.search(rf"\b{name}\b", page), f"docs/python.md says nothing of opsin.{name}"
    for name, member in inspect.getmembers(opsin.Run):
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert re.search(rf"\b{name}\b", page), f"docs/python.md says nothing of Run.{name}"


def test_every_documented_function_has_the_parameters_that_the_page_names() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in (
        "check",
        "train",
        "cross_validate",
        "ensemble",
        "evaluate",
        "inspect",
        "learning_curve",
        "predict",
        "load_run",
        "find_learning_rate",
        "list_networks",
        "list_runs",
        "read_dataset",
    ):
        function: Callable = getattr(opsin, name)
        for parameter in inspect.signature(function).parameters:
            assert f"`{parameter}`" in page or f"`**{parameter}`" in page, f"docs/python.md: {name}({parameter})"
