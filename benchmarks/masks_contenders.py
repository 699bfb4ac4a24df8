"""The contenders of masks.py, each as its users usually write it; one process runs one of them. See turns.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turns import Pace, compete, train_in_turns

SIDE = 128
BATCH_SIZE = 16
WIDTHS = (32, 64, 128, 256)
LEARNING_RATE = 0.001
MEAN, STD = 0.4, 0.16  # of the blobs' pixels in [0, 1]


def bare(pace: Pace, images: NDArray[np.uint8], masks: NDArray[np.uint8], folder: Path) -> None:
    """Run the loop that a good engineer writes by hand: floats in memory, channels-last, fused optimizer, no extras."""
    import torch

    from opsin.tasks.segmentation.losses import create_loss

    network = _network().to(memory_format=torch.channels_last)
    loss_of = create_loss("cross-entropy+dice")
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, fused=True)
    floats = torch.from_numpy((images / np.float32(255) - MEAN) / STD).float()
    targets = torch.from_numpy(masks)
    for _ in range(pace.epochs):
        pace.begin()
        for rows in torch.randperm(len(floats)).split(BATCH_SIZE):
            batch = floats.index_select(0, rows).permute(0, 3, 1, 2)
            loss = loss_of(network(batch), targets.index_select(0, rows).long(), None).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        pace.end()


def opsin(
    pace: Pace,
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    folder: Path,
    augment: float = 0.0,
    precision: str = "32-true",
) -> None:
    """Run Opsin as `opsin train` does."""
    from opsin.data.dataset import Dataset
    from opsin.data.images import ArrayImages
    from opsin.data.targets import MaskTargets
    from opsin.recipe.recipe import from_settings

    held_out = BATCH_SIZE  # validation and test must not be empty; neither is timed
    split = np.array(["train"] * len(images) + ["validation"] * held_out + ["test"] * held_out)
    rows = np.r_[0 : len(images), 0:held_out, held_out : 2 * held_out]
    pixels = images[rows]
    pixels[len(images) :, 0, 0] ^= 1  # so that copies are not taken for duplicates, which the split holds together
    masked = ArrayImages(masks[rows])
    shown = np.stack([np.ones(len(rows), bool), masks[rows].any(axis=(1, 2))], axis=1)
    dataset = Dataset("blobs", ("ground", "blob"), ArrayImages(pixels), MaskTargets(shown, masked), split)
    settings: dict[str, Any] = {
        "network": "unet",
        "options": {"widths": list(WIDTHS)},
        "epochs": pace.epochs,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "schedule": "constant",
        "augment": augment,
        "precision": precision,
        "device": "cpu",
        "near_duplicates": False,  # the copies that are held out
    }
    varied = {"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": 0.75, "elastic": 0.03}
    train_in_turns(pace, dataset, from_settings(settings | (varied if augment else {})))


def opsin_augmented(pace: Pace, images: NDArray[np.uint8], masks: NDArray[np.uint8], folder: Path) -> None:
    """Run Opsin with images and masks varied by its usual ranges."""
    opsin(pace, images, masks, folder, augment=1.0)


def opsin_usual_memory(pace: Pace, images: NDArray[np.uint8], masks: NDArray[np.uint8], folder: Path) -> None:
    """Run Opsin with the C library's usual way of giving freed memory back at once."""
    from contextlib import nullcontext

    from opsin.training import session

    session.memory_kept = nullcontext  # type: ignore[assignment]
    opsin(pace, images, masks, folder)


def opsin_auto(pace: Pace, images: NDArray[np.uint8], masks: NDArray[np.uint8], folder: Path) -> None:
    """Run Opsin with augmentation and in the precision that it chooses, bfloat16 where the processor multiplies it."""
    opsin(pace, images, masks, folder, augment=1.0, precision="auto")


def monai(
    pace: Pace,
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    folder: Path,
    workers: int = 2,
    cached: bool = False,
) -> None:
    """Run MONAI's loop for images and masks in files, as its tutorials on two dimensions write it."""
    import torch
    from monai.data import CacheDataset, DataLoader, Dataset
    from monai.losses import DiceCELoss
    from monai.transforms import (
        Compose,
        EnsureChannelFirstd,
        LoadImaged,
        NormalizeIntensityd,
        RandFlipd,
        RandRotate90d,
        ScaleIntensityRanged,
    )

    keys = ["image", "mask"]
    varied = Compose(
        [
            LoadImaged(keys),
            EnsureChannelFirstd(keys),
            ScaleIntensityRanged(["image"], 0, 255, 0, 1),
            NormalizeIntensityd(["image"], subtrahend=MEAN, divisor=STD),
            RandFlipd(keys, prob=0.5, spatial_axis=0),
            RandRotate90d(keys, prob=0.5),
        ]
    )
    files = [{kind: str(folder / f"{kind}s" / f"{place:04}.png") for kind in keys} for place in range(len(images))]
    data = CacheDataset(files, varied, progress=False) if cached else Dataset(files, varied)
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    network = _network()
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    for _ in range(pace.epochs):
        pace.begin()
        total = 0.0
        for batch in loader:
            optimizer.zero_grad()
            loss = loss_of(network(batch["image"]), batch["mask"])
            loss.backward()
            optimizer.step()
            total += loss.item()
        pace.end()


def monai_cached(pace: Pace, images: NDArray[np.uint8], masks: NDArray[np.uint8], folder: Path) -> None:
    """Run MONAI with what is read kept in memory, and no process beside it."""
    monai(pace, images, masks, folder, workers=0, cached=True)


def _network() -> Any:
    import torch

    from opsin.networks.segmentation.unet import UNet

    torch.manual_seed(0)
    return UNet(2, 3, (SIDE, SIDE), widths=WIDTHS).train()


CONTENDERS = {
    "bare": bare,
    "opsin": opsin,
    "opsin-augmented": opsin_augmented,
    "opsin-auto": opsin_auto,
    "opsin-usual-memory": opsin_usual_memory,
    "monai-files": monai,
    "monai-cached": monai_cached,
}


def before(name: str, cores: int) -> None:
    """Choose how many threads torch uses."""
    import torch

    torch.set_num_threads(cores)


def load(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Path]:
    """Return images, masks, and the folder in which both are files."""
    return np.load(folder / "images.npy"), np.load(folder / "masks.npy"), folder


if __name__ == "__main__":
    compete(CONTENDERS, load, ("torch", "opsin", "monai"), before)
