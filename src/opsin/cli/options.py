"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder that holds named data sets (mnist/, cifar10/, …); default: the variable OPSIN_DATA."),
]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Keep file names and paths out of the report.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of the report.")]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read, and list them.")
]
Inspect = Annotated[
    bool,
    typer.Option(
        "--inspect/--no-inspect",
        help="Inspect the trained network (robustness, heat maps, map of the images); `opsin inspect` can do it later.",
    ),
]
Images = Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Image files, folders and globs.")]
