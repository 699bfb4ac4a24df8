"""Description of the machine for the run folder and the report; memory and process utilities."""

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
    """Return versions, processor, cores and device of a run, without the host name."""
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
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


# Parameters and defaults of glibc, from malloc.h and mallopt(3).
_TRIM_THRESHOLD, _USUAL_TRIM = -1, 128 * 1024
_MMAP_MAX, _USUAL_MMAPS = -4, 65_536


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory for reuse instead of returning it to the system at once.

    glibc maps large blocks with mmap for each allocation, and the kernel zeroes their pages: a tenth of the training
    time on a CPU, where every batch needs the same blocks. At the end all free memory is returned. Other C libraries
    are left unchanged.
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
    """Return an identifier of this process, so that two processes never train the same run."""
    process = psutil.Process()
    return {"pid": process.pid, "started": process.create_time()}


def is_another_alive(process: dict[str, Any] | None) -> bool:
    """Whether a process identified by `this_process` is still running, and is not this one."""
    if not process or process["pid"] == os.getpid():
        return False
    try:
        result: bool = abs(psutil.Process(process["pid"]).create_time() - process["started"]) < 1
        return result
    except psutil.Error:
        return False
