"""Train in a process of its own that kills itself at a given moment, as a power failure would.

It is run with ``arguments`` among its globals: RUNS, KIND and COUNT, with KIND one of "step" (after COUNT optimizer
steps), "write" (in the COUNTth checkpoint, before it takes the old one's place) and "never".
"""

from __future__ import annotations

import os
import signal

import torch

import opsin
from opsin.training import callbacks as watching
from opsin.training.fit import Callback

SETTINGS = {
    "network": "small_resnet",
    "options": {"widths": [8, 16], "blocks": [1, 1]},
    "epochs": 4,
    "batch_size": 64,
    "accumulate": 2,
    "average": 0.9,
    "dropout": 0.1,
    "schedule": "plateau",
    "plateau_epochs": 0,
    "mixup": 0.2,
    "device": "cpu",
    "inspect": False,
}


def die() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class KillAfter(Callback):
    def __init__(self, steps: int):
        self.left = steps

    def on_step(self, state):
        self.left -= 1
        if self.left == 0:
            die()


def kill_in_write(count: int) -> None:
    replace, left = os.replace, [count]

    def replace_or_die(source, target):
        if str(target).endswith("checkpoint.safetensors"):
            left[0] -= 1
            if left[0] == 0:
                die()
        replace(source, target)

    os.replace = replace_or_die


def main(runs: str, kind: str, count: int) -> None:
    torch.set_num_threads(1)
    watching.SAVE_EVERY = 0.05  # several checkpoints in each short epoch
    watching.Checkpoints.__init__.__defaults__ = (0.05,)
    if kind == "write":
        kill_in_write(count)
    callbacks = [KillAfter(count)] if kind == "step" else []
    opsin.train("digits", runs=runs, resume=True, callbacks=callbacks, quiet=True, **SETTINGS)


main(*globals()["arguments"])
