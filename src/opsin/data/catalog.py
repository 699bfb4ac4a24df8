"""Catalog of named data sets: descriptions, search paths and downloads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from opsin.data.dataset import Dataset
from opsin.data.downloading import Download, fetch
from opsin.data.images import TEST, TRAIN, ArrayImages, Symmetry
from opsin.data.readers.arrays import read_arrays
from opsin.data.readers.cifar import CIFAR10_FILES, CIFAR100_FILES, holds_cifar, holds_pickled_cifar, read_cifar
from opsin.data.readers.common import refuse_column_names
from opsin.data.readers.idx import holds_idx, read_idx
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, nearest
from opsin.storage.cache import cache_folder


@dataclass(frozen=True)
class Layout:
    """File layout of a named data set.

    Attributes:
        files: The required files, as text.
        holds: Returns whether a path contains them.
        read: Reader of such a path.
    """

    files: str
    holds: Callable[[Path], bool]
    read: Callable[..., Dataset]


@dataclass(frozen=True)
class Entry:
    """One named data set.

    Attributes:
        description: Content of the images, in one line.
        images: Number of images.
        classes: Number of classes.
        size: Height and width in pixels, and grey or color.
        license: The license; "not stated" if the authors name none.
        homepage: URL of its description.
        symmetry: Mirror images that keep the class.
        layout: File layout; None for data that come with scikit-learn.
        places: Possible paths below a data root.
        downloads: Returns the files to fetch; a function, so that torchvision is imported only when needed.
        class_names: Class names, if the files contain only numbers.
        system_places: Paths used by packages of the operating system.
    """

    description: str
    images: int
    classes: int
    size: str
    license: str
    homepage: str
    symmetry: Symmetry
    layout: Layout | None = None
    places: tuple[str, ...] = ()
    downloads: Callable[[], tuple[Download, ...]] = tuple
    class_names: tuple[str, ...] = ()
    system_places: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A data set of the catalog, and whether it is available on this machine.

    Attributes:
        name: A key of `CATALOG`.
        entry: Its entry in the catalog.
        here: Whether it can be read without a download.
        path: Its path; None if it is not available or comes with scikit-learn.
    """

    name: str
    entry: Entry
    here: bool
    path: Path | None


_IDX = Layout(
    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz",
    lambda path: holds_idx(path, (TRAIN, TEST)),
    read_idx,
)
_CIFAR10 = Layout(", ".join(CIFAR10_FILES), lambda path: holds_cifar(path, 10), read_cifar)
_CIFAR100 = Layout(", ".join(CIFAR100_FILES), lambda path: holds_cifar(path, 100), read_cifar)


def _torchvision_downloads(class_name: str) -> Callable[[], tuple[Download, ...]]:
    """Return the files of a torchvision data set of the MNIST family."""

    def downloads() -> tuple[Download, ...]:
        import torchvision.datasets

        known = getattr(torchvision.datasets, class_name)
        return tuple(
            Download(tuple(f"{mirror}{name}" for mirror in known.mirrors), name, md5) for name, md5 in known.resources
        )

    return downloads


def _cifar_download(archive: str, md5: str, members: tuple[str, ...]) -> Callable[[], tuple[Download, ...]]:
    address = f"https://www.cs.toronto.edu/~kriz/{archive}"
    return lambda: (Download((address,), archive, md5, members),)


def _medmnist(
    name: str, md5: str, description: str, images: int, class_names: tuple[str, ...], license: str = "CC BY 4.0"
) -> Entry:
    file = f"{name}.npz"
    address = f"https://zenodo.org/record/6496656/files/{file}?download=1"
    return Entry(
        description=description,
        images=images,
        classes=len(class_names),
        size="28×28 color",
        license=license,
        homepage="https://medmnist.com",
        symmetry="any",
        layout=Layout(file, Path.is_file, read_arrays),
        places=(f"{name}/{file}", file, f"medmnist/{file}"),
        downloads=lambda: (Download((address,), file, md5),),
        class_names=class_names,
    )


CATALOG: dict[str, Entry] = {
    "digits": Entry(
        description="handwritten digits of 43 people, part of scikit-learn",
        images=1797,
        classes=10,
        size="8×8 grey",
        license="CC BY 4.0",
        homepage="https://archive.ics.uci.edu/dataset/80",
        symmetry="none",
    ),
    "mnist": Entry(
        description="handwritten digits of census workers and students",
        images=70_000,
        classes=10,
        size="28×28 grey",
        license="CC BY-SA 3.0",
        homepage="https://yann.lecun.com/exdb/mnist",
        symmetry="none",
        layout=_IDX,
        places=("mnist", "MNIST/raw", "mnist/MNIST/raw"),
        downloads=_torchvision_downloads("MNIST"),
    ),
    "fashion-mnist": Entry(
        description="articles of a clothing shop",
        images=70_000,
        classes=10,
        size="28×28 grey",
        license="MIT",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        symmetry="mirror",
        layout=_IDX,
        places=("fashion-mnist", "FashionMNIST/raw", "fashion-mnist/FashionMNIST/raw"),
        downloads=_torchvision_downloads("FashionMNIST"),
        class_names=(
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        system_places=(Path("/usr/share/datasets/fashion-mnist"),),
    ),
    "kmnist": Entry(
        description="cursive Japanese characters from old books",
        images=70_000,
        classes=10,
        size="28×28 grey",
        license="CC BY-SA 4.0",
        homepage="https://github.com/rois-codh/kmnist",
        symmetry="none",
        layout=_IDX,
        places=("kmnist", "KMNIST/raw", "kmnist/KMNIST/raw"),
        downloads=_torchvision_downloads("KMNIST"),
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "cifar10": Entry(
        description="photographs of animals and vehicles",
        images=60_000,
        classes=10,
        size="32×32 color",
        license="not stated",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        symmetry="mirror",
        layout=_CIFAR10,
        places=("cifar10", "cifar-10-batches-bin"),
        downloads=_cifar_download("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", CIFAR10_FILES),
    ),
    "cifar100": Entry(
        description="photographs of animals, plants, people and things (--label coarse: 20 superclasses)",
        images=60_000,
        classes=100,
        size="32×32 color",
        license="not stated",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        symmetry="mirror",
        layout=_CIFAR100,
        places=("cifar100", "cifar-100-binary"),
        downloads=_cifar_download("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", CIFAR100_FILES),
    ),
    "bloodmnist": _medmnist(
        "bloodmnist",
        "7053d0359d879ad8a5505303e11de1dc",
        "white and red blood cells and platelets under the microscope",
        17_092,
        (
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocyte",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        ),
    ),
    "dermamnist": _medmnist(
        "dermamnist",
        "0744692d530f8e62ec473284d019b0c7",
        "pigmented skin lesions under the dermatoscope",
        10_015,
        (
            "actinic keratosis",
            "basal cell carcinoma",
            "benign keratosis",
            "dermatofibroma",
            "melanoma",
            "nevus",
            "vascular lesion",
        ),
        license="CC BY-NC 4.0",
    ),
    "pathmnist": _medmnist(
        "pathmnist",
        "a8b06965200029087d5bd730944a56c1",
        "stained tissue of the colon under the microscope",
        107_180,
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal mucosa",
            "stroma",
            "adenocarcinoma",
        ),
    ),
}


def data_roots(data_root: str | Path | None = None) -> list[Path]:
    """Return the folders that are searched for named data sets; downloads go to the first.

    Args:
        data_root: The folder to search; None: the folder in the environment variable OPSIN_DATA.

    Returns:
        That folder, if given, and the user's cache (``~/.cache/opsin/data``).
    """
    own = data_root or os.environ.get("OPSIN_DATA")
    return [*([Path(own).expanduser()] if own else []), cache_folder() / "data"]


def find(name: str, data_root: str | Path | None = None) -> Path | None:
    """Return the path of a named data set, or None if it is not available or comes with scikit-learn.

    Args:
        name: A key of `CATALOG`.
        data_root: See `data_roots`. Both ``<root>/mnist`` and torchvision's ``<root>/MNIST/raw`` are found.

    Raises:
        DataError: The catalog has no data set of that name.
    """
    entry = _entry(name)
    if entry.layout is None:
        return None
    places = [root / place for root in data_roots(data_root) for place in entry.places]
    return next((place for place in (*places, *entry.system_places) if entry.layout.holds(place)), None)


def list_datasets(data_root: str | Path | None = None) -> list[Listing]:
    """Return all named data sets, and whether each is available.

    Args:
        data_root: See `data_roots`.
    """
    listings = []
    for name, entry in CATALOG.items():
        path = find(name, data_root)
        listings.append(Listing(name, entry, here=entry.layout is None or path is not None, path=path))
    return listings


def read_named(
    name: str, data_root: str | Path | None = None, *, label: str = "label", group: str = "group"
) -> Dataset:
    """Read a data set of the catalog; download it first if necessary.

    Args:
        name: A key of `CATALOG`.
        data_root: See `data_roots`.
        label: The labels to read, if there are several; CIFAR-100 has ``fine`` (default) and ``coarse``.
        group: Must be left at its default: none of these data sets has groups.

    Returns:
        The data set, with its symmetry.

    Raises:
        DataError: There is no data set of that name, or it is neither available nor downloadable.
    """
    entry = _entry(name)
    if entry.layout is None:
        return _read_digits(name, entry, label, group)
    path = find(name, data_root) or _download(name, entry, data_root)
    dataset = entry.layout.read(path, label=label, group=group)
    classes = entry.class_names or dataset.classes
    if len(classes) != len(dataset.classes):
        raise DataError(
            f"{path} has {len(dataset.classes)} classes, but {name} has {len(classes)}; copy the files again, or give "
            f"the path instead of the name to read them as they are."
        )
    return replace(dataset, name=name, classes=classes, symmetry=entry.symmetry)


def _entry(name: str) -> Entry:
    if name not in CATALOG:
        raise DataError(f"The catalog has no data set {name!r}{nearest(name, CATALOG)}; `opsin datasets` lists all.")
    return CATALOG[name]


def _download(name: str, entry: Entry, data_root: str | Path | None) -> Path:
    """Download a data set and return its path."""
    roots = data_roots(data_root)
    root = roots[0]
    if data_root is None:  # the folder in OPSIN_DATA may be shared and read-only
        root = next((root for root in roots[:-1] if os.access(root, os.W_OK)), roots[-1])
    folder = root / name
    try:
        fetch(entry.downloads(), folder)
    except DataError as error:
        assert entry.layout is not None
        there = [place for root in roots for place in (root / name, root / entry.places[-1]) if place.is_dir()]
        seen = ""
        if there and holds_pickled_cifar(there[0]):
            seen = f" ({there[0]} is the Python version, a pickle, which can run code and is never loaded)"
        elif there:
            seen = f" ({there[0]} exists but does not contain these files)"
        raise DataError(
            f"The data set {name} is not on this machine and cannot be downloaded; put {entry.layout.files} into "
            f"{folder}, or set --data-root or OPSIN_DATA to the folder that contains {name}/{seen}."
        ) from error
    found = find(name, root)
    if found is None:
        raise DataError(f"The download of {name} to {folder} is incomplete; delete that folder and try again.")
    return found


def _read_digits(name: str, entry: Entry, label: str, group: str) -> Dataset:
    from sklearn.datasets import load_digits

    refuse_column_names(Path(name), "comes with scikit-learn", label, group)
    bunch = load_digits()
    return Dataset(
        name=name,
        classes=tuple(str(digit) for digit in bunch.target_names),
        images=ArrayImages(np.round(bunch.images * (255 / 16)).astype(np.uint8)),  # stored as 0-16
        targets=ClassTargets(bunch.target.astype(np.int64)),
        symmetry=entry.symmetry,
    )
