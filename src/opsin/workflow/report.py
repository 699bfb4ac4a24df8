"""`opsin.report`: write the page of any result."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path

from opsin.audit.result import Check
from opsin.errors import OpsinError
from opsin.evaluation.comparison.result import Comparison
from opsin.runs.cross_validation import CrossValidationFolder
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.workflow.run import Run


@singledispatch
def report(result: object, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    """Write a self-contained HTML page of a result and return its path.

    Args:
        result: A run (`Run`, `RunFolder`, or the path of its folder), a `Check`, a `Comparison`, the folder of a study
            or of a cross-validation, scores of `opsin.score_isic`, or a lesson.
        path: The file. Left out: ``report.html`` (run), ``check.html``, ``comparison.html``, ``isic.html`` in the
            current folder, or the page's own place in the folder of a study or cross-validation.
        anonymous: Leave out file names, paths and everything else that could name a person. Pages of several runs are
            anonymous where any of the runs is.

    Raises:
        RunError: A file of the run is damaged, or the page cannot be written.
        OpsinError: There is no page for such an object.
    """
    raise OpsinError(f"There is no report of a {type(result).__name__}; opsin.report takes a run, check or comparison.")


@report.register
def _(result: RunFolder, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.reporting.run_report.report import write_report

    return write_report(result, Path(path) if path is not None else None, anonymous=anonymous)


@report.register
def _(result: Run, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    return report(result.folder, path, anonymous=anonymous)


@report.register(str)
@report.register(Path)
def _(result: str | Path, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    return report(RunFolder(result), path, anonymous=anonymous)


@report.register
def _(result: Check, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.reporting.pages.check import write_check_page

    return write_check_page(result, Path(path or "check.html"), anonymous=anonymous)


@report.register
def _(result: Comparison, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.reporting.pages.comparison import write_comparison

    return write_comparison(result, Path(path or "comparison.html"))


@report.register
def _(result: CrossValidationFolder, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.reporting.pages.cross_validation import write_cross_validation_page

    return write_cross_validation_page(result, Path(path) if path is not None else None)


@report.register
def _(result: StudyFolder, path: str | Path | None = None, *, anonymous: bool = False) -> Path:
    from opsin.reporting.pages.study import write_study_page

    return write_study_page(result, Path(path) if path is not None else None)
