import numpy as np
import pytest

from opsin.data.read import read_dataset
from opsin.data.readers.cifar import holds_cifar, holds_pickled_cifar, read_cifar

TEN_TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]


def records(number, label_bytes, seed=0):
    """Records as the format's description has them: labels, then the red, the green and the blue plane, row by row."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8)
    labels = np.stack([np.arange(number) % 3 + 2 * place for place in range(label_bytes)], axis=1).astype(np.uint8)
    content = b"".join(
        bytes(row) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
        for row, image in zip(labels, images, strict=True)
    )
    return images, labels, content


@pytest.fixture
def ten(tmp_path):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for number, name in enumerate([*TEN_TRAIN, "test_batch.bin"]):
        (folder / name).write_bytes(records(6, 1, number)[2])
    (folder / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n\n")
    return folder


@pytest.fixture
def hundred(tmp_path):
    folder = tmp_path / "cifar100"
    folder.mkdir()
    (folder / "train.bin").write_bytes(records(6, 2, 0)[2])
    (folder / "test.bin").write_bytes(records(3, 2, 1)[2])
    (folder / "coarse_label_names.txt").write_text("fish\nflowers\nfruit\n")
    (folder / "fine_label_names.txt").write_text("apple\nbee\ncan\ndog\neel\n")
    return folder


def test_cifar10(ten):
    dataset = read_dataset(ten)
    assert dataset.name == "cifar10" and dataset.classes == ("airplane", "automobile", "bird")
    assert dataset.split.tolist() == ["train"] * 30 + ["test"] * 6
    assert dataset.targets.values.tolist() == [0, 1, 2] * 12 and dataset.targets.values.dtype == np.int64
    np.testing.assert_array_equal(dataset.images.read(8), records(6, 1, 1)[0][2])
    np.testing.assert_array_equal(dataset.images.read(35), records(6, 1, 5)[0][5])


@pytest.mark.parametrize("label", ["label", "fine"])
def test_cifar100_fine(hundred, label):
    dataset = read_cifar(hundred, label=label)
    assert dataset.classes == ("apple", "bee", "can", "dog", "eel")
    assert dataset.targets.values.tolist() == [2, 3, 4] * 3
    assert dataset.split.tolist() == ["train"] * 6 + ["test"] * 3
    np.testing.assert_array_equal(dataset.images.read(7), records(3, 2, 1)[0][1])


def test_cifar100_coarse(hundred):
    dataset = read_cifar(hundred, label="coarse")
    assert dataset.classes == ("fish", "flowers", "fruit") and dataset.targets.values.tolist() == [0, 1, 2] * 3


def test_folder_above_the_archives_own(ten):
    (ten.parent / "data").mkdir()
    ten.rename(ten.parent / "data" / "cifar-10-batches-bin")
    assert read_dataset(ten.parent / "data").name == "data"
    assert holds_cifar(ten.parent / "data", 10) and not holds_cifar(ten.parent / "data", 100)


def test_without_names_classes_are_numbers(ten):
    (ten / "batches.meta.txt").unlink()
    assert read_cifar(ten).classes == ("0", "1", "2")


# What is refused


def test_the_python_version(tmp_path, refusal):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "batches.meta"):
        (folder / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for path in (tmp_path, folder):
        sentence = refusal(read_dataset, path)
        assert "is the Python version, a pickle, which can run code and is never loaded" in sentence
        assert "get the binary version (cifar-10-binary.tar.gz" in sentence
    other = tmp_path / "other"
    other.mkdir()
    for name in ("train", "test", "meta"):
        (other / name).touch()
    assert holds_pickled_cifar(other) and "is the Python version" in refusal(read_dataset, other)


def test_no_cifar_at_all(tmp_path, refusal):
    assert "contains no CIFAR files" in refusal(read_cifar, tmp_path)


@pytest.mark.parametrize("name", [TEN_TRAIN[2], "test_batch.bin"])
def test_missing_file(ten, refusal, name):
    (ten / name).unlink()
    assert refusal(read_dataset, ten).startswith(f"{ten / name} cannot be read: ")


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3073 * 2 + 1)])
def test_cut_off_file(ten, refusal, content):
    (ten / TEN_TRAIN[1]).write_bytes(content)
    sentence = refusal(read_dataset, ten)
    assert sentence.startswith(f"{ten / TEN_TRAIN[1]} is truncated") and "not a multiple of 3,073" in sentence


def test_label_beyond_the_names(ten, refusal):
    (ten / "batches.meta.txt").write_text("airplane\nautomobile\n")
    assert "labels up to 2, but 2 class names" in refusal(read_dataset, ten)


def test_unknown_labels(ten, hundred, refusal):
    assert "no labels 'coarse'; give label." in refusal(read_dataset, ten, label="coarse")
    assert "no labels 'medium'; give coarse or fine." in refusal(read_dataset, hundred, label="medium")
    assert "no groups" in refusal(read_dataset, ten, group="photographer")
