"""Set up Opsin in a virtual environment of its own, then run it. Needs Python 3.11 or newer and nothing else.

    python3 start.py           install, train on 1,797 handwritten digits, say where the report is
    python3 start.py test      install, run the tests (anything after `test` goes to pytest; `-n 0`: one by one)
    python3 start.py install   install everything that developing needs, and stop

On Windows write `py start.py`. The environment is the folder .venv beside this file, or the one that OPSIN_VENV names.
A second call installs nothing unless pyproject.toml or constraints.txt has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("OPSIN_VENV") or ROOT / ".venv").resolve()
STAMP = VENV / "opsin-installed.json"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OPSIN = VENV / ("Scripts/opsin.exe" if os.name == "nt" else "bin/opsin")
TO_RUN = ("offline",)
TO_DEVELOP = ("dev", "offline", "notebook")

# What pip prints -> what it means and what to do.
FULL = "The disk is full: Opsin and what it needs take 2 to 7 GB; free some space and try again."
OFFLINE = "The package index cannot be reached: connect to the network (or set HTTPS_PROXY) and try again."
REASONS = {
    "No space left on device": FULL,
    "not enough space on the disk": FULL,
    "Permission denied": "A folder may not be written to; copy Opsin into a folder of your own and try again.",
    "CERTIFICATE_VERIFY_FAILED": "The network's certificate is not trusted; set PIP_CERT to your institute's file.",
    "NameResolutionError": OFFLINE,
    "NewConnectionError": OFFLINE,
    "ProxyError": OFFLINE,
    "Read timed out": "The network is too slow or was interrupted; try again, pip keeps what it has fetched.",
    "No matching distribution": "A pinned package is not made for this machine or Python; use 64-bit Python 3.11-3.13.",
}


def main(arguments: list[str]) -> int:
    """Install what is missing and run what the first argument says; return the exit code."""
    wish = arguments[0] if arguments else "run"
    if wish not in ("run", "test", "install"):
        print(__doc__)
        return 0 if wish in ("-h", "--help") else 2
    check_python()
    install(TO_RUN if wish == "run" else TO_DEVELOP)
    if wish == "install":
        print(f"Ready. Activate it with: {activation()}")
        return 0
    if wish == "test":
        return subprocess.call([str(PYTHON), "-m", "pytest", "-n", "logical", *arguments[1:]], cwd=ROOT)
    return run()


def check_python() -> None:
    """End with a sentence where this Python is too old or lacks the modules that make an environment."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python meets first
        version = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"Opsin needs Python 3.11 or newer; this is {version}. Install a newer one and run: python3.11 start.py"
        )
    if sys.maxsize < 2**32:
        sys.exit("Opsin needs a 64-bit Python, as PyTorch does; this one has 32 bits.")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "This Python cannot make virtual environments: its venv or ensurepip module is missing. "
            f"On Debian and Ubuntu: sudo apt install python3.{sys.version_info[1]}-venv"
        )


def install(extras: tuple[str, ...]) -> None:
    """Make the environment and install Opsin with these extras, unless that has been done already."""
    known = make_environment()
    wanted = {"files": fingerprint(), "root": str(ROOT)}
    if known.pop("wanted", None) == wanted and set(extras) <= set(known["extras"]):
        return
    extras = tuple(sorted({*known.get("extras", ()), *extras}))
    print("Installing Opsin and what it needs; the first time this takes a few minutes.", flush=True)
    STAMP.unlink(missing_ok=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    command([*pip, "-c", "constraints.txt", "-e", f".[{','.join(extras)}]"], "The installation failed.")
    STAMP.write_text(json.dumps({"wanted": wanted, "extras": extras}), encoding="utf-8")


def make_environment() -> dict[str, Any]:
    """Make the environment where there is none for this Python; return what has been installed in it."""
    configuration = VENV / "pyvenv.cfg"
    if not configuration.exists() and VENV.exists() and any(VENV.iterdir()):
        sys.exit(f"{VENV} is there and is no virtual environment; move it away, or name another folder in OPSIN_VENV.")
    version = ".".join(map(str, sys.version_info[:2]))
    text = configuration.read_text(encoding="utf-8") if configuration.exists() else ""
    if not PYTHON.exists() or f"version = {version}." not in text:
        print(f"Making the environment {VENV}", flush=True)
        command([sys.executable, "-m", "venv", "--clear", str(VENV)], "The environment could not be made.")
    return json.loads(STAMP.read_text(encoding="utf-8")) if STAMP.exists() else {}


def fingerprint() -> str:
    """Return digits that change when there is something new to install."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def command(arguments: list[str], failure: str) -> None:
    """Run a command, show the lines that tell how far it is, and end with a sentence if it fails."""
    kept: list[str] = []
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kept.append(line)
            if line.lstrip().startswith("Downloading"):
                print("  " + line.strip()[:110], flush=True)
            elif line.startswith("Installing collected packages"):
                print(f"  Installing {line.count(',') + 1} packages", flush=True)
    if process.returncode == 0:
        return
    output = "".join(kept)
    reason = next((sentence for sign, sentence in REASONS.items() if sign in output), "")
    print("".join(kept[-15:]), file=sys.stderr)
    sys.exit(f"{failure} {reason or 'The lines above say why; please report them if they do not help.'}")


def run() -> int:
    """Train on the digits and say where the report is and what to do next."""
    code = subprocess.call([str(PYTHON), "-m", "opsin", "train", "digits"], cwd=ROOT)
    if code:
        return code
    reports = sorted(ROOT.glob("runs/*/report.html"), key=lambda path: path.stat().st_mtime)
    print(f"\nOpen the report in a browser: {reports[-1]}")
    print(f"Train on a folder of your own images: {shown(OPSIN)} train photos")
    return 0


def activation() -> str:
    """Return the line that puts the environment's commands on the path."""
    return str(VENV / "Scripts" / "activate") if os.name == "nt" else f"source {shown(VENV / 'bin' / 'activate')}"


def shown(path: Path) -> str:
    """Return the path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped; start again with the same command.")
