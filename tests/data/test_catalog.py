import hashlib
import io
import os
import re
import socket
import struct
import sys
import tarfile
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import load_digits

from opsin.data import catalog as catalogue
from opsin.data.catalog import CATALOG, data_roots, find, list_datasets, read_named
from opsin.data.downloading import Download, fetch, take_members
from opsin.data.read import read_dataset
from opsin.data.readers.cifar import CIFAR10_FILES
from opsin.storage.cache import cache_folder

MNIST_FILES = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A machine that holds no data sets and has no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.delenv("OPSIN_DATA", raising=False)
    for name, entry in CATALOG.items():
        monkeypatch.setitem(CATALOG, name, replace(entry, system_places=()))

    def no_network(*_, **__):
        raise URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr("torchvision.datasets.utils.download_url", no_network)


def idx_content(name):
    if "images" in name:
        return struct.pack(">IIII", 0x803, 20, 4, 4) + bytes(20 * 16)
    return struct.pack(">II", 0x801, 20) + bytes(range(10)) * 2


def put_mnist(folder):
    folder.mkdir(parents=True)
    for name in MNIST_FILES:
        (folder / name).write_bytes(idx_content(name))
    return folder


def put_cifar(folder):
    folder.mkdir(parents=True)
    for name in CIFAR10_FILES:
        (folder / name).write_bytes(b"".join(bytes([label]) + bytes(3072) for label in range(10)))
    (folder / CIFAR10_FILES[-1]).write_text("\n".join("abcdefghij"))
    return folder


# The entries


@pytest.mark.parametrize("name", CATALOG)
def test_entries_are_complete(name):
    entry = CATALOG[name]
    assert entry.images > 100 and entry.symmetry in ("none", "mirror", "any")
    assert re.fullmatch(r"\d+×\d+ (grey|color)", entry.size)
    assert entry.homepage.startswith("https://") and entry.license and "\n" not in entry.description
    assert not entry.class_names or len(entry.class_names) == len(set(entry.class_names)) == entry.classes
    if entry.layout is not None:
        assert entry.places[0].startswith(name) and entry.downloads()
        for download in entry.downloads():
            assert re.fullmatch("[0-9a-f]{32}", download.md5) and download.addresses


def test_what_is_asked_of_it_is_there():
    assert {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100"} <= set(CATALOG)


def test_digits_are_those_of_scikit_learn():
    dataset = read_named("digits")
    raw = load_digits()
    assert dataset.name == "digits" and dataset.classes == tuple("0123456789") and dataset.symmetry == "none"
    np.testing.assert_array_equal(dataset.targets.values, raw.target)
    assert np.abs(dataset.images.array[..., 0] / 255 - raw.images / 16).max() <= 0.5 / 255
    assert dataset.split is None and len(dataset) == CATALOG["digits"].images


# Where they are looked for


def test_cache_folder(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache" / "opsin"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_folder().is_relative_to(Path.home()) and cache_folder().name == "opsin"


def test_cache_folder_on_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "opsin"


def test_data_roots(tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "opsin" / "data"
    assert data_roots() == [cache]
    monkeypatch.setenv("OPSIN_DATA", str(tmp_path / "environment"))
    assert data_roots() == [tmp_path / "environment", cache]
    assert data_roots(tmp_path / "given") == [tmp_path / "given", cache]


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "mnist/MNIST/raw"])
def test_found_below_a_data_root(tmp_path, place):
    folder = put_mnist(tmp_path / "data" / place)
    assert find("mnist", tmp_path / "data").samefile(folder)
    assert find("kmnist", tmp_path / "data") is None
    dataset = read_dataset("mnist", data_root=tmp_path / "data")
    assert dataset.name == "mnist" and len(dataset) == 40 and dataset.symmetry == "none"
    assert dataset.split.tolist() == ["train"] * 20 + ["test"] * 20


def test_found_by_the_environment_and_in_the_cache(tmp_path, monkeypatch):
    put_mnist(cache_folder() / "data" / "mnist")
    assert find("mnist") == cache_folder() / "data" / "mnist"
    put_mnist(tmp_path / "environment" / "mnist")
    monkeypatch.setenv("OPSIN_DATA", str(tmp_path / "environment"))
    assert find("mnist") == tmp_path / "environment" / "mnist"
    assert find("mnist", tmp_path / "given") == cache_folder() / "data" / "mnist"


def test_found_where_the_system_puts_it(tmp_path, monkeypatch):
    folder = put_mnist(tmp_path / "system")
    monkeypatch.setitem(CATALOG, "fashion-mnist", replace(CATALOG["fashion-mnist"], system_places=(folder,)))
    assert find("fashion-mnist") == folder
    dataset = read_named("fashion-mnist")
    assert dataset.classes[0] == "T-shirt/top" and dataset.classes[9] == "ankle boot" and dataset.symmetry == "mirror"


def test_half_a_data_set_is_not_found(tmp_path):
    (put_mnist(tmp_path / "mnist") / "t10k-images-idx3-ubyte").unlink()
    assert find("mnist", tmp_path) is None


def test_cifar10_is_not_taken_for_cifar100(tmp_path):
    put_cifar(tmp_path / "cifar100")
    assert find("cifar100", tmp_path) is None
    put_cifar(tmp_path / "cifar10" / "cifar-10-batches-bin")
    assert find("cifar10", tmp_path) == tmp_path / "cifar10"
    dataset = read_named("cifar10", tmp_path)
    assert dataset.name == "cifar10" and dataset.classes == tuple("abcdefghij") and dataset.symmetry == "mirror"


def test_medmnist(tmp_path):
    content = {}
    for part in ("train", "val", "test"):
        content |= {f"{part}_images": np.zeros((8, 28, 28, 3), np.uint8), f"{part}_labels": np.arange(8)[:, None]}
    np.savez(tmp_path / "bloodmnist.npz", **content)
    dataset = read_named("bloodmnist", tmp_path)
    assert dataset.classes[3] == "immature granulocyte" and dataset.symmetry == "any" and len(dataset) == 24


def test_list(tmp_path):
    put_mnist(tmp_path / "mnist")
    listings = {listing.name: listing for listing in list_datasets(tmp_path)}
    assert list(listings) == list(CATALOG)
    assert [name for name, listing in listings.items() if listing.here] == ["digits", "mnist"]
    assert listings["mnist"].path == tmp_path / "mnist" and listings["digits"].path is None
    assert listings["cifar10"].entry.images == 60_000


# How they are fetched


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A network that serves the files in a folder, with torchvision's check of the MD5 sum."""
    folder = tmp_path / "published"
    folder.mkdir()

    def serve(url, root, filename, md5):
        content = folder / filename
        if not content.exists() or "dead" in url:
            raise URLError("not found")
        (Path(root) / filename).write_bytes(content.read_bytes())
        if hashlib.md5(content.read_bytes()).hexdigest() != md5:
            raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", serve)
    return folder


def download_of(path, members=(), addresses=("https://dead.example", "https://alive.example")):
    return Download(addresses, path.name, hashlib.md5(path.read_bytes()).hexdigest(), members)


def tar_with(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_fetched_files_appear_at_once_and_are_read(tmp_path, published, monkeypatch):
    cache_folder().mkdir(parents=True)
    for name in MNIST_FILES:
        (published / name).write_bytes(idx_content(name))
    downloads = tuple(download_of(published / name) for name in MNIST_FILES)
    monkeypatch.setitem(CATALOG, "mnist", replace(CATALOG["mnist"], downloads=lambda: downloads))
    dataset = read_named("mnist", tmp_path / "data")
    assert len(dataset) == 40
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist"]
    assert sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir()) == sorted(MNIST_FILES)


def test_fetched_into_the_cache_where_nothing_else_is_named(published, monkeypatch):
    for name in MNIST_FILES:
        (published / name).write_bytes(idx_content(name))
    downloads = tuple(download_of(published / name) for name in MNIST_FILES)
    monkeypatch.setitem(CATALOG, "kmnist", replace(CATALOG["kmnist"], downloads=lambda: downloads))
    assert read_named("kmnist").classes[0] == "o"
    assert find("kmnist") == cache_folder() / "data" / "kmnist"


def test_archive_of_cifar(tmp_path, published, monkeypatch):
    source = put_cifar(tmp_path / "source")
    files = {f"cifar-10-batches-bin/{name}": (source / name).read_bytes() for name in CIFAR10_FILES}
    archive = tar_with(published / "cifar.tar.gz", files | {"cifar-10-batches-bin/readme.html": b"<p>"})
    downloads = (download_of(archive, CIFAR10_FILES),)
    monkeypatch.setitem(CATALOG, "cifar10", replace(CATALOG["cifar10"], downloads=lambda: downloads))
    assert len(read_named("cifar10", tmp_path / "data")) == 60
    assert {path.name for path in (tmp_path / "data" / "cifar10").iterdir()} == set(CIFAR10_FILES)


def test_archive_cannot_write_outside_its_folder(tmp_path):
    archive = tar_with(tmp_path / "a.tar.gz", {"../../wanted.bin": b"1", "/tmp/other.bin": b"2"})
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("linked.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)
    take_members(archive, ("wanted.bin",), folder)
    assert [path.name for path in folder.iterdir()] == ["wanted.bin"]
    with pytest.raises(tarfile.TarError, match="does not hold linked.bin"):
        take_members(tmp_path / "b.tar.gz", ("linked.bin",), folder)
    assert not (tmp_path / "wanted.bin").exists()


def test_no_network(tmp_path, refusal):
    sentence = refusal(read_dataset, "mnist", data_root=tmp_path / "data")
    assert sentence.startswith(
        "The data set mnist is not on this machine and cannot be downloaded; put train-images-idx3-ubyte"
    )
    assert f"into {tmp_path / 'data' / 'mnist'}, or set --data-root or OPSIN_DATA to the folder" in sentence


def test_files_of_another_form_are_mentioned(tmp_path, refusal):
    (tmp_path / "cifar100").mkdir()
    assert f"({tmp_path / 'cifar100'} exists but does not contain these files)" in refusal(
        read_named, "cifar100", tmp_path
    )
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "data_batch_1").touch()
    assert "is the Python version, a pickle, which can run code and is never loaded" in refusal(
        read_named, "cifar10", tmp_path
    )


@pytest.mark.parametrize(
    "error", [URLError("gone"), TimeoutError("slow"), IncompleteRead(b""), RuntimeError("File\n md5.")]
)
def test_a_failed_download_leaves_nothing(tmp_path, refusal, monkeypatch, error):
    def fail(url, root, filename, md5):
        (Path(root) / filename).write_bytes(b"half of it")
        assert socket.getdefaulttimeout() is not None
        raise error

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fail)
    sentence = refusal(fetch, (Download(("https://a.example",), "a", "0" * 32),), tmp_path / "data" / "a")
    assert sentence.startswith(f"The download to {tmp_path / 'data' / 'a'} failed: ")
    assert list((tmp_path / "data").iterdir()) == [] and socket.getdefaulttimeout() is None


def test_wrong_content_is_refused(tmp_path, published, refusal):
    (published / "a").write_bytes(b"changed")
    download = Download(("https://a.example",), "a", "0" * 32)
    assert "corrupted" in refusal(fetch, (download,), tmp_path / "a")
    (published / "b.tar").write_bytes(b"no archive")
    assert "The download to" in refusal(fetch, (download_of(published / "b.tar", ("x",)),), tmp_path / "b")


def test_folder_that_cannot_be_made(tmp_path, refusal):
    (tmp_path / "file").touch()
    assert "The download to" in refusal(fetch, (), tmp_path / "file" / "data" / "mnist")


def test_incomplete_publication(tmp_path, published, refusal, monkeypatch):
    monkeypatch.setitem(CATALOG, "mnist", replace(CATALOG["mnist"], downloads=tuple))
    assert "is incomplete; delete that folder" in refusal(read_named, "mnist", tmp_path / "data")


def test_read_only_data_root_of_the_environment(tmp_path, published, monkeypatch):
    for name in MNIST_FILES:
        (published / name).write_bytes(idx_content(name))
    downloads = tuple(download_of(published / name) for name in MNIST_FILES)
    monkeypatch.setitem(CATALOG, "mnist", replace(CATALOG["mnist"], downloads=lambda: downloads))
    monkeypatch.setenv("OPSIN_DATA", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shared" and allowed(path, mode))
    read_named("mnist")
    assert find("mnist") == cache_folder() / "data" / "mnist"


# What is refused


def test_unknown_name(refusal):
    assert "The catalog has no data set 'cifar' (did you mean 'cifar10'" in refusal(read_named, "cifar")
    assert "opsin datasets" in refusal(find, "xyz")


def test_columns_that_are_not_there(tmp_path, refusal):
    assert "digits comes with scikit-learn and has no label column 'x'" in refusal(read_named, "digits", label="x")


def test_another_number_of_classes(tmp_path, refusal):
    folder = put_mnist(tmp_path / "fashion-mnist")
    for name in MNIST_FILES[1::2]:
        (folder / name).write_bytes(struct.pack(">II", 0x801, 20) + bytes([0, 1] * 10))
    assert "has 2 classes, but fashion-mnist has 10" in refusal(read_named, "fashion-mnist", tmp_path)


@pytest.mark.skipif("OPSIN_DATA" not in os.environ, reason="OPSIN_DATA names no folder of real data sets")
@pytest.mark.parametrize("name", [name for name in CATALOG if find(name) is not None])
def test_real_data_sets(name, monkeypatch):
    monkeypatch.undo()
    dataset = read_named(name)
    entry = catalogue.CATALOG[name]
    assert (len(dataset), len(dataset.classes)) == (entry.images, entry.classes)
    height, width, channels = dataset.images.shape(0)
    assert f"{height}×{width} {'grey' if channels == 1 else 'color'}" == entry.size
