"""Writing files so that a crash, a kill or a full disk never costs what was there before."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opsin.errors import RunError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file that takes the place of ``path`` when the block ends without an error.

    The new content is on the disk before it replaces the old one, and the replacement is one step: whatever happens,
    ``path`` holds either all of the old or all of the new content.

    Raises:
        RunError: The disk is full or the folder may not be written to; ``path`` is as it was.
    """
    handle, name = -1, ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        yield Path(name)
        with open(name, "rb+") as written:
            os.fsync(written.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        reason = _system_reason(error)
        if reason is None:
            raise
        raise RunError(f"{path} could not be written: {reason}. What was there before is untouched.") from error


def _system_reason(error: BaseException) -> str | None:
    """Return why the system refused to write, or None for any other error."""
    full = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
    # safetensors reports a full disk as an exception of its own that carries the system's words.
    if (isinstance(error, OSError) and error.errno in full) or "No space left on device" in str(error):
        return "the disk is full; free some space and go on with `opsin train --resume`"
    if isinstance(error, PermissionError):
        return "its folder may not be written to"
    if isinstance(error, FileNotFoundError):
        return "its folder does not exist any more"
    return None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON in one step; see `replacing`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object per line in one step; see `replacing`."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read one JSON object per line; a missing file is an empty list."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
