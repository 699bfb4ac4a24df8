import subprocess
import sys
from pathlib import Path

import opsin
from opsin.cli import VERBS

TWO_COMMANDS = '''
import typer

app = typer.Typer()


@app.command()
def first():
    """Do one thing."""


@app.command()
def second():
    """Do another."""


app()
'''
HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "scipy", "PIL", "torchvision", "timm", "lightning_fabric")


def imported(*arguments: str) -> set[str]:
    """Return the names of all modules that a program imports; they take nearly all of its time."""
    command = [sys.executable, "-X", "importtime", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stderr
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}


def test_help_imports_no_more_than_a_program_of_two_commands(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(TWO_COMMANDS, encoding="utf-8")
    plain = imported(str(tmp_path / "two.py"), "--help")
    more = imported("-m", "opsin", "--help") - plain
    assert "typer" in plain and "opsin.cli" in more
    assert {name for name in more if name.partition(".")[0] != "opsin"} <= {"runpy"}  # which runs ``-m``
    assert len(more) < 10


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from opsin.cli import main
sys.argv = ["opsin", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print("imported:", [name for name in {HEAVY} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, encoding="utf-8")
    assert result.stdout.splitlines()[-1] == "imported: []"
    assert "opsin train digits" in result.stdout


def test_every_verb_has_help(opsin_command) -> None:
    listing = opsin_command("--help").out
    for verb, (_, summary) in VERBS.items():
        assert f" {verb} " in listing
        own = opsin_command(verb, "--help")
        assert own.code == 0
        assert "Usage: opsin " + verb in own.out
        # The line in the list of verbs and the verb's own help begin alike or the list's line is shorter.
        assert summary.endswith(".")


def test_version(opsin_command) -> None:
    assert opsin_command("--version").out == f"opsin {opsin.__version__}\n"


def test_a_mistyped_verb_is_answered_with_the_nearest(opsin_command) -> None:
    result = opsin_command("trian")
    assert result.code == 2
    assert "'train'" in result.err


def test_no_arguments_show_the_help(opsin_command) -> None:
    result = opsin_command()
    assert "Usage: opsin" in result.out + result.err


def test_train_help_ends_with_examples(opsin_command) -> None:
    text = opsin_command("train", "--help").out
    assert text.count("opsin train ") >= 5
    assert "[/dim]" not in text and "\\[" not in text
