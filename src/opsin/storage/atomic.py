"""Atomic writes: a crash, a kill or a full disk never damages the previous content of a file."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opsin.errors import RunError

# Windows cannot replace a file that is open in any program; virus scanners and indexers briefly open new files.
WINDOWS = os.name == "nt"
WAITS = (0.05, 0.1, 0.2, 0.3, 0.4)  # seconds between two attempts


def _read_umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_UMASK = _read_umask()  # read once, as reading it changes it briefly for all threads


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces ``path`` when the block ends without an error.

    The new content is flushed to disk before the atomic replacement: ``path`` always holds either the old or the new
    content, each complete.

    Raises:
        RunError: The disk is full, the folder is not writable, or ``path`` is open in another program (Windows);
            ``path`` is unchanged.
    """
    handle, name = -1, ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        yield Path(name)
        with open(name, "rb+") as written:
            os.fsync(written.fileno())
        os.chmod(name, 0o666 & ~_UMASK)
        _replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        reason = _system_reason(error)
        if reason is None:
            raise
        raise RunError(f"{path} could not be written: {reason}. The previous file is unchanged.") from error


def _system_reason(error: BaseException) -> str | None:
    """Return the reason why the system refused to write, or None for any other error."""
    full = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
    # safetensors raises its own exception for a full disk, with the message of the system.
    if (isinstance(error, OSError) and error.errno in full) or "No space left on device" in str(error):
        return "the disk is full; free some space and resume with `opsin train --resume`"
    if isinstance(error, PermissionError):
        return "its folder is not writable"
    if isinstance(error, FileNotFoundError):
        return "its folder does not exist"
    return None


def _replace(name: str, path: Path) -> None:
    """Replace a file; on Windows, retry for about a second while it is open in another program."""
    for wait in WAITS if WINDOWS else ():
        with contextlib.suppress(PermissionError):
            return os.replace(name, path)
        time.sleep(wait)
    try:
        os.replace(name, path)
    except PermissionError as error:
        if not WINDOWS:
            raise
        raise RunError(
            f"{path} could not be written: it is open in another program; close it there and try again. The previous "
            "file is unchanged."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; see `replacing`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object per line atomically; see `replacing`."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file atomically; see `replacing`."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def read_csv_rows(path: Path) -> list[list[str]]:
    """Read the rows of a CSV file, without its header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read one JSON object per line; a missing file is an empty list.

    Raises:
        RunError: The file is damaged.
    """
    if not path.exists():
        return []
    with damage_explained(path):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise ValueError(f"entry {number + 1} is not an object")
    return rows


DAMAGE = (ValueError, LookupError, TypeError, AttributeError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error)


@contextlib.contextmanager
def damage_explained(path: Path) -> Iterator[None]:
    """Convert the exceptions of reading a damaged file to a `RunError`.

    Raises:
        RunError: The file is damaged, or the system refuses to read it.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except DAMAGE as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise RunError(f"{path} is damaged ({what}); restore it from a backup or train again.") from None
