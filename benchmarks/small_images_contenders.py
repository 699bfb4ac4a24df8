"""The contenders of small_images.py, each as its users usually write it; one process runs one of them.

Started by small_images.py; see turns.py.

All train the same network (3x3 convolutions of 8, 16 and 32 channels, ReLU, two poolings, one dense layer: 21,578
parameters) on the same images in batches of 128, reshuffled each epoch, by SGD at a constant learning rate of 0.02 with
momentum 0.9.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turns import Pace, compete, train_in_turns

BATCH_SIZE = 128
LEARNING_RATE = 0.02
MOMENTUM = 0.9
MEAN, STD = 0.286, 0.353  # of Fashion-MNIST's training pixels in [0, 1]


def bare(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run the loop that a good engineer writes by hand: floats in memory, channels-last, fused optimizer, no extras."""
    import torch

    _bare(pace, torch.from_numpy((images / np.float32(255) - MEAN) / STD).float(), labels, lambda batch: batch)


def bare_bytes(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run the same loop over bytes, a quarter of the memory; each batch is normalized when it is drawn."""
    import torch

    _bare(pace, torch.from_numpy(images), labels, lambda batch: batch.float().mul_(1 / 255 / STD).sub_(MEAN / STD))


def _bare(pace: Pace, images: Any, labels: NDArray[np.int64], prepare: Callable[[Any], Any]) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    network = _torch_network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=0.0, fused=True
    )
    targets = torch.from_numpy(labels)
    for _ in range(pace.epochs):
        pace.begin()
        for rows in torch.randperm(len(images)).split(BATCH_SIZE):
            batch = prepare(images.index_select(0, rows)).permute(0, 3, 1, 2)
            loss = cross_entropy(network(batch), targets.index_select(0, rows))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        pace.end()


def opsin(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run Opsin as `opsin train` does."""
    from opsin.data.dataset import Dataset
    from opsin.data.images import ArrayImages
    from opsin.data.targets import ClassTargets
    from opsin.recipe.recipe import from_settings

    held_out = min(1000, len(images) // 2)  # validation and test must not be empty; neither is timed
    split = np.array(["train"] * len(images) + ["validation"] * held_out + ["test"] * held_out)
    rows = np.r_[0 : len(images), 0:held_out, held_out : 2 * held_out]
    # A different corner pixel keeps the copies from being taken for duplicates that the split must hold together.
    pixels = images[rows]
    pixels[len(images) :, 0, 0] ^= 1
    dataset = Dataset("fashion", tuple(map(str, range(10))), ArrayImages(pixels), ClassTargets(labels[rows]), split)
    recipe = from_settings(
        {
            "network": "course_cnn",
            "epochs": pace.epochs,
            "batch_size": BATCH_SIZE,
            "optimizer": "sgd",
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "weight_decay": 0,
            "schedule": "constant",
            "augment": 0,
            "precision": "32-true",
            "device": "cpu",
            "near_duplicates": False,  # the copies that are held out
        }
    )
    train_in_turns(pace, dataset, recipe)


def keras(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64], jit_compile: Any = "auto") -> None:
    """Run Keras 3: ``model.fit`` on arrays, with accuracy and its progress bar."""
    from keras import Sequential, layers, losses, optimizers
    from keras.callbacks import Callback

    model = Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    assert model.count_params() == 21_578
    model.compile(
        optimizer=optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM, nesterov=True),
        loss=losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )

    class Turns(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            pace.begin()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            pace.end()

    floats = (images / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    model.fit(floats, labels, batch_size=BATCH_SIZE, epochs=pace.epochs, callbacks=[Turns()])


def keras_no_jit(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run Keras 3 without compiling the step by XLA."""
    keras(pace, images, labels, jit_compile=False)


def fastai(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run fastai as in chapter 4 of its book: a list of tensor pairs, DataLoaders, ``Learner.fit``."""
    import torch
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader

    floats = torch.from_numpy((images / np.float32(255) - MEAN) / STD).float().permute(0, 3, 1, 2)
    pairs = list(zip(floats, torch.from_numpy(labels), strict=True))
    train = DataLoader(pairs, bs=BATCH_SIZE, shuffle=True, drop_last=True)
    _fastai(pace, DataLoaders(train, DataLoader(pairs[:1000], bs=2 * BATCH_SIZE)))


def fastai_vision(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run fastai's vision pipeline: a DataBlock whose ImageBlock makes each picture, normalized a batch at a time."""
    from fastai.data.block import CategoryBlock, DataBlock
    from fastai.data.transforms import IndexSplitter, Normalize
    from fastai.vision.core import PILImageBW
    from fastai.vision.data import ImageBlock

    block = DataBlock(
        blocks=(ImageBlock(PILImageBW), CategoryBlock(vocab=list(range(10)))),
        get_x=lambda index: images[index, ..., 0],
        get_y=lambda index: int(labels[index]),
        splitter=IndexSplitter(range(len(images), len(images) + 1000)),
        batch_tfms=Normalize.from_stats([MEAN], [STD], cuda=False),
    )
    everything = [*range(len(images)), *range(1000)]  # fastai wants a validation part, too
    _fastai(pace, block.dataloaders(everything, bs=BATCH_SIZE, num_workers=0))


def _fastai(pace: Pace, loaders: Any) -> None:
    from fastai.callback.core import Callback
    from fastai.learner import Learner
    from fastai.losses import CrossEntropyLossFlat
    from fastai.metrics import accuracy
    from fastai.optimizer import SGD

    try:
        import fastai.callback.progress  # noqa: F401 - the progress bar, as `from fastai.vision.all import *` has it
    except ImportError as error:
        print("fastai runs without its progress bar:", error, file=sys.stderr)

    class Turns(Callback):
        """Times the training part of an epoch; fastai always validates after it."""

        def before_train(self) -> None:
            pace.begin()

        def after_train(self) -> None:
            pace.end()

    learner = Learner(
        loaders,
        _torch_network(),
        loss_func=CrossEntropyLossFlat(),
        opt_func=lambda parameters, lr: SGD(parameters, lr=lr, mom=MOMENTUM),
        metrics=accuracy,
        path=tempfile.gettempdir(),
    )
    learner.fit(pace.epochs, lr=LEARNING_RATE, cbs=[Turns()])


def lightning(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64], workers: int = 0) -> None:
    """Run Lightning's Trainer with its defaults over a DataLoader with torchvision's transforms."""
    import lightning as lightning_package
    import torch
    from PIL import Image
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader, Dataset
    from torchmetrics.classification import MulticlassAccuracy
    from torchvision import transforms

    class Fashion(Dataset):
        """As torchvision's FashionMNIST reads an image: array, picture, transform."""

        def __init__(self) -> None:
            self.images, self.labels = images[..., 0], labels
            steps = [transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))]
            self.transform = transforms.Compose(steps)

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])

    class Classifier(lightning_package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = _torch_network()
            self.accuracy = MulticlassAccuracy(10, average="micro")

        def training_step(self, batch: Any, index: int) -> Any:
            images, targets = batch
            logits = self.network(images)
            loss = cross_entropy(logits, targets)
            self.accuracy(logits, targets)
            self.log("train_loss", loss, prog_bar=True)
            self.log("train_accuracy", self.accuracy, on_step=False, on_epoch=True, prog_bar=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, nesterov=True)

    class Turns(lightning_package.Callback):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            pace.begin()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            pace.end()

    loader = DataLoader(
        Fashion(),
        batch_size=BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    with tempfile.TemporaryDirectory() as place:
        trainer = lightning_package.Trainer(
            max_epochs=pace.epochs, accelerator="cpu", default_root_dir=place, callbacks=[Turns()]
        )
        trainer.fit(Classifier(), loader)


def lightning_workers(pace: Pace, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Run Lightning with two processes that load."""
    lightning(pace, images, labels, workers=2)


def _torch_network() -> Any:
    import torch

    from opsin.networks.course_cnn import CourseCNN

    torch.manual_seed(0)
    network = CourseCNN(10, 1, (28, 28)).train()
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_578
    return network


CONTENDERS: dict[str, Callable[[Pace, NDArray[np.uint8], NDArray[np.int64]], None]] = {
    "bare": bare,
    "bare-bytes": bare_bytes,
    "opsin": opsin,
    "keras-jax": keras,
    "keras-tensorflow": keras,
    "keras-tensorflow-nojit": keras_no_jit,
    "keras-torch": keras,
    "fastai-tensors": fastai,
    "fastai-vision": fastai_vision,
    "lightning-0": lightning,
    "lightning-2": lightning_workers,
}


def before(name: str, cores: int) -> None:
    """Choose Keras's backend, and how many threads the libraries use."""
    if name.startswith("keras"):
        os.environ["KERAS_BACKEND"] = name.split("-")[1]
    if name.startswith("keras-tensorflow"):
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
    elif name != "keras-jax":
        import torch

        torch.set_num_threads(cores)


def load(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images and their classes."""
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


if __name__ == "__main__":
    packages = ("torch", "opsin", "keras", "jax", "tensorflow-cpu", "tensorflow", "fastai", "lightning", "torchvision")
    compete(CONTENDERS, load, packages, before)
