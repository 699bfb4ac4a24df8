"""The contenders of time_to_accuracy.py; one process runs one of them. See turns.py."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turns import Pace, compete, train_in_turns

Split = tuple[NDArray[np.uint8], NDArray[np.int64]]

EPOCHS = {"opsin-default": 12, "opsin-short": 4, "opsin-course": 8, "keras-tensorflow": 15, "fastai": 5}


def opsin(pace: Pace, train: Split, test: Split, **settings: Any) -> None:
    """Run Opsin as `opsin train mnist --epochs ...` does."""
    import torch

    from opsin.data.dataset import Dataset
    from opsin.data.images import TEST, ArrayImages
    from opsin.data.targets import ClassTargets
    from opsin.recipe.recipe import from_settings

    split = np.array(["train"] * len(train[0]) + ["test"] * len(test[0]))
    images, labels = (np.concatenate(each) for each in zip(train, test, strict=True))
    dataset = Dataset("mnist", tuple(map(str, range(10))), ArrayImages(images), ClassTargets(labels), split)
    recipe = from_settings({"epochs": pace.epochs, "device": "cpu", "near_duplicates": False, **settings})

    def right(session: Any) -> float:
        rows = session.prepared.split.indices(TEST)
        return float((session.predict(session.network, torch.from_numpy(rows)).labels == labels[rows]).mean())

    train_in_turns(pace, dataset, recipe, lambda session: {"accuracy": right(session)})


def opsin_course(pace: Pace, train: Split, test: Split) -> None:
    """Run Opsin with a plain CNN."""
    opsin(pace, train, test, network="course_cnn", augment=0)


def keras(pace: Pace, train: Split, test: Split) -> None:
    """Run the example of keras.io by F. Chollet."""
    from keras import Sequential, layers
    from keras.callbacks import Callback

    model = Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    floats = test[0].astype(np.float32) / 255

    class Turns(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            pace.begin()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            pace.stop()
            pace.end(accuracy=float((model.predict(floats, verbose=0).argmax(1) == test[1]).mean()))

    model.fit(train[0].astype(np.float32) / 255, train[1], batch_size=128, epochs=pace.epochs, callbacks=[Turns()])


def fastai(pace: Pace, train: Split, test: Split) -> None:
    """Run chapter 13 of the book by J. Howard and S. Gugger on all ten digits, pictures read from memory."""
    import torch
    from fastai.callback.core import Callback
    from fastai.callback.schedule import fit_one_cycle  # noqa: F401 - gives Learner the method
    from fastai.data.block import CategoryBlock, DataBlock
    from fastai.data.transforms import IndexSplitter
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.vision.core import PILImageBW
    from fastai.vision.data import ImageBlock
    from torch import nn
    from torch.nn.functional import cross_entropy

    def conv(before: int, after: int, size: int = 3, last: bool = False) -> nn.Module:
        layer = nn.Conv2d(before, after, size, stride=2, padding=size // 2)
        return layer if last else nn.Sequential(layer, nn.ReLU(), nn.BatchNorm2d(after))

    images, labels = (np.concatenate(each) for each in zip(train, test, strict=True))
    block = DataBlock(
        blocks=(ImageBlock(PILImageBW), CategoryBlock(vocab=list(range(10)))),
        get_x=lambda index: images[index, ..., 0],
        get_y=lambda index: int(labels[index]),
        splitter=IndexSplitter(range(len(train[0]), len(images))),
    )
    network = nn.Sequential(
        conv(1, 8, 5), conv(8, 16), conv(16, 32), conv(32, 64), conv(64, 10, last=True), nn.Flatten()
    )

    class Turns(Callback):
        def before_train(self) -> None:
            pace.begin()

        def after_train(self) -> None:
            pace.stop()

        def after_epoch(self) -> None:
            pace.end(accuracy=float(self.learn.recorder.values[-1][-1]))

    Turns.order = 60  # after fastai's Recorder, which computes the accuracy
    learner = Learner(
        block.dataloaders(list(range(len(images))), bs=512, num_workers=0),
        network,
        loss_func=cross_entropy,
        metrics=accuracy,
        path=tempfile.gettempdir(),
    )
    torch.manual_seed(0)
    learner.fit_one_cycle(pace.epochs, 0.06, cbs=[Turns()])


CONTENDERS = {
    "opsin-default": opsin,
    "opsin-short": opsin,
    "opsin-course": opsin_course,
    "keras-tensorflow": keras,
    "fastai": fastai,
}


def before(name: str, cores: int) -> None:
    """Choose Keras's backend, and how many threads the libraries use."""
    if name.startswith("keras"):
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
    else:
        import torch

        torch.set_num_threads(cores)


def load(folder: Path) -> tuple[Split, Split]:
    """Return images and labels to train with and for test."""
    train, test = (
        (np.load(folder / f"{split}_images.npy"), np.load(folder / f"{split}_labels.npy"))
        for split in ("train", "test")
    )
    return train, test


if __name__ == "__main__":
    compete(CONTENDERS, load, ("torch", "opsin", "keras", "tensorflow-cpu", "fastai"), before)
