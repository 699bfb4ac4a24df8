"""What machine this is, for the run folder and the report, and how its memory is used."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch


def describe_machine(device: torch.device | str) -> dict[str, Any]:
    """Return versions, processor, cores and the device a run uses. The host's name is not among them."""
    device = torch.device(device)
    processor = _processor()
    names = {"cuda": lambda: torch.cuda.get_device_name(device), "mps": lambda: "Apple GPU"}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "device_name": names.get(device.type, lambda: processor)(),
    }


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


# Numbers and usual values of glibc's options, from malloc.h and mallopt(3).
_TRIM_THRESHOLD, _USUAL_TRIM = -1, 128 * 1024
_MMAP_MAX, _USUAL_MMAPS = -4, 65_536


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep memory that is set free for what comes next, rather than give it back to the system at once.

    The C library of Linux (glibc) maps large blocks anew each time, and the system clears each of their pages: a tenth
    of the time of training on a processor, where every batch needs the same blocks again. At the end all that is free
    goes back. With other C libraries nothing is done.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _USUAL_MMAPS)
        library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
        library.malloc_trim(0)


def this_process() -> dict[str, Any]:
    """Return what tells this process from all others, so that two never train one run at once."""
    process = psutil.Process()
    return {"pid": process.pid, "started": process.create_time()}


def is_another_alive(process: dict[str, Any] | None) -> bool:
    """Whether a process that `this_process` described is still running, and is not this one."""
    if not process or process["pid"] == os.getpid():
        return False
    try:
        return abs(psutil.Process(process["pid"]).create_time() - process["started"]) < 1
    except psutil.Error:
        return False
