"""What machine this is, for the run folder and the report."""

from __future__ import annotations

import os
import platform
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
