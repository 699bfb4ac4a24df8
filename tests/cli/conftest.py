from collections.abc import Callable
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from opsin.cli import app


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def opsin_command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run ``opsin`` in this process; an exception that is no sentence for the user fails the test."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="opsin")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run
