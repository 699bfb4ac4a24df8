"""The folder for what is kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder where this user's programs keep what can be fetched again, with ``opsin`` below it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "opsin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsin"
