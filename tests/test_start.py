"""start.py: what it installs, when it does not, and what it says when it cannot. Nothing is installed here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with an environment below tmp_path and its commands written down instead of run."""
    monkeypatch.setenv("OPSIN_VENV", str(tmp_path / "venv"))
    specification = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.commands = []

    def command(arguments: list[str], failure: str) -> None:
        module.commands.append(arguments)
        if "venv" in arguments:
            module.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            module.PYTHON.touch()
            version = ".".join(map(str, sys.version_info[:3]))
            (module.VENV / "pyvenv.cfg").write_text(f"version = {version}\n", encoding="utf-8")

    monkeypatch.setattr(module, "command", command)
    return module


def test_the_first_call_makes_the_environment_and_installs_pinned_versions(start: ModuleType) -> None:
    start.install(start.TO_RUN)
    make, install = start.commands
    assert make == [sys.executable, "-m", "venv", "--clear", str(start.VENV)]
    assert install[:4] == [str(start.PYTHON), "-m", "pip", "install"]
    assert install[-4:] == ["-c", "constraints.txt", "-e", ".[offline]"]


def test_a_second_call_installs_nothing(start: ModuleType) -> None:
    start.install(start.TO_DEVELOP)
    start.commands.clear()
    start.install(start.TO_DEVELOP)
    start.install(start.TO_RUN)
    assert start.commands == []


def test_what_is_missing_or_changed_is_installed_on_top(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    start.install(start.TO_RUN)
    start.commands.clear()
    start.install(start.TO_DEVELOP)
    assert start.commands[0][-1] == ".[dev,notebook,offline]"
    monkeypatch.setattr(start, "fingerprint", lambda: "changed")
    start.commands.clear()
    start.install(start.TO_RUN)
    assert start.commands[0][-1] == ".[dev,notebook,offline]"


def test_an_installation_that_was_cut_off_is_done_again(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    start.install(start.TO_RUN)
    start.STAMP.unlink()
    start.commands.clear()
    start.install(start.TO_RUN)
    assert len(start.commands) == 1 and "pip" in start.commands[0]


def test_an_environment_of_another_python_is_made_anew(start: ModuleType) -> None:
    start.install(start.TO_RUN)
    (start.VENV / "pyvenv.cfg").write_text("version = 3.9.1\n", encoding="utf-8")
    start.commands.clear()
    start.install(start.TO_RUN)
    assert "--clear" in start.commands[0]


def test_a_folder_that_is_no_environment_is_left_alone(start: ModuleType) -> None:
    start.VENV.mkdir()
    (start.VENV / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(SystemExit, match="is there and is no virtual environment"):
        start.install(start.TO_RUN)
    assert start.commands == []


def test_an_old_python_is_refused_in_a_sentence(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"needs Python 3.11 or newer; this is 3.10.4"):
        start.check_python()


def test_a_python_without_venv_is_told_what_to_install(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="sudo apt install python3"):
        start.check_python()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NameResolutionError: Failed to resolve", "connect to the network"),
        ("ERROR: No matching distribution found for torch", "64-bit Python"),
        ("something else", "The lines above say why"),
    ],
)
def test_a_failed_installation_is_explained(output: str, words: str, capsys: pytest.CaptureFixture) -> None:
    specification = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with pytest.raises(SystemExit, match=f"The installation failed. .*{words}"):
        module.command([sys.executable, "-c", f"print({output!r}); raise SystemExit(1)"], "The installation failed.")
    assert output in capsys.readouterr().err


def test_constraints_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) == len(set(pins)) > 50
    for pin in pins:
        name, _, version = pin.partition("==")
        assert version and name == name.lower() and "/" not in pin and ":" not in pin
        assert not name.startswith(("nvidia", "cuda", "triton")), "needed on one platform only"


def test_help_and_unknown_words_print_what_there_is(tmp_path: Path) -> None:
    environment = os.environ | {"OPSIN_VENV": str(tmp_path / "venv")}
    for word, code in (("--help", 0), ("tset", 2)):
        command = [sys.executable, str(ROOT / "start.py"), word]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == code
        assert "python3 start.py test" in result.stdout
    assert not (tmp_path / "venv").exists()


def test_the_stamp_is_json(start: ModuleType) -> None:
    start.install(start.TO_RUN)
    assert json.loads(start.STAMP.read_text(encoding="utf-8"))["extras"] == ["offline"]
