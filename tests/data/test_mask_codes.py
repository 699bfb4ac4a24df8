from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from opsin.data.mask_codes import BINARY, VOID, Coding, read_colors, read_names, resolve_mask_coding, summarize_mask
from opsin.data.preprocessing import Preprocessing
from opsin.data.read import detect, read_dataset
from opsin.errors import DataError, UnreadableImageError


def picture(size=(12, 10)):
    return np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)


def disk(values, size=(12, 10)):
    mask = np.full(size, values[0], np.uint8)
    mask[3:7, 2:6] = values[1]
    return mask


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def two_folders(root, masks, images="images", folder="masks"):
    for number, mask in enumerate(masks):
        save(root / images / f"scan {number}.jpg", picture(mask.shape[:2]))
        save(root / folder / f"scan {number}.png", mask)
    return root


def objects(number, size=(30, 30)):
    """Single objects numbered from 1."""
    mask = np.zeros(size, np.uint8)
    for index in range(number):
        mask[1 + 4 * index : 4 + 4 * index, 3:9] = index + 1
    return mask


def test_images_with_masks_are_told_from_labels(tmp_path):
    two_folders(tmp_path, [disk((0, 255))] * 6)
    with pytest.raises(DataError, match="contains images and masks and cannot be used for regression"):
        read_dataset(tmp_path, task="regression")


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 128)])
def test_two_folders_of_binary_masks(tmp_path, values):
    data = read_dataset(two_folders(tmp_path, [disk(values)] * 5))
    assert (data.task, data.classes, len(data)) == ("segmentation", BINARY, 5)
    np.testing.assert_array_equal(data.targets.files.read(3)[..., 0], disk((0, 1)))
    assert data.images.name(2) == "images/scan 2.jpg"
    assert data.targets.values.all() and data.text(0) == "background;foreground"
    np.testing.assert_array_equal(data.subset(np.array([4, 1])).targets.files.read(0)[..., 0], disk((0, 1)))


@pytest.mark.parametrize("suffix", ["_anno", "_mask", "_MASK"])
def test_masks_beside_their_images(tmp_path, suffix):
    for number in range(4):
        save(tmp_path / f"cell_{number}.png", picture())
        save(tmp_path / f"cell_{number}{suffix}.png", disk((0, 255)))
    (tmp_path / "grades.csv").write_text("name,grade\ncell_0,benign\n", encoding="utf-8")
    data = read_dataset(tmp_path)
    assert len(data) == 4 and data.classes == BINARY
    assert [data.targets.files.name(row) for row in range(2)] == [f"cell_0{suffix}.png", f"cell_1{suffix}.png"]


@pytest.mark.parametrize("pattern", ["{part}/{kind}/a{n}.png", "{kind}/{part}/a{n}.png"])
def test_splits_above_and_below(tmp_path, pattern):
    for part in ("train", "valid", "test"):
        for n in range(2):
            save(tmp_path / pattern.format(part=part, kind="images", n=n), picture())
            save(tmp_path / pattern.format(part=part, kind="masks", n=n), disk((0, 1)))
    data = read_dataset(tmp_path)
    assert np.unique(data.split, return_counts=True)[0].tolist() == ["test", "train", "validation"]
    for row in range(6):
        word = {"validation": "valid"}.get(data.split[row], data.split[row])
        assert word in data.images.name(row) and word in data.targets.files.name(row)


def voc(root):
    names = [f"2007_00{number}" for number in range(6)]
    for number, name in enumerate(names):
        save(root / "JPEGImages" / f"{name}.jpg", picture())
        mask = disk((0, 15 if number % 2 else 8))
        mask[0] = VOID
        palette = Image.fromarray(mask).convert("P")
        palette.putdata(mask.ravel().tolist())
        palette.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
        (root / "SegmentationClass").mkdir(exist_ok=True)
        palette.save(root / "SegmentationClass" / f"{name}.png")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(names[:4]), encoding="utf-8")
    (lists / "val.txt").write_text("\n".join(names[4:]) + "\n", encoding="utf-8")
    save(root / "JPEGImages" / "without a mask.jpg", picture())
    return root


def test_the_layout_of_pascal_voc(tmp_path):
    data = read_dataset(voc(tmp_path))
    assert len(data.classes) == 21 and data.split.tolist() == ["train"] * 4 + ["test"] * 2
    assert set(np.unique(data.targets.files.read(1))) == {0, 15, VOID}
    assert data.counts()[[0, 8, 15]].tolist() == [6, 3, 3]
    binary = read_dataset(tmp_path, masks="binary")
    assert binary.classes == BINARY
    assert set(np.unique(binary.targets.files.read(1))) == {0, 1, VOID}
    (tmp_path / "SegmentationClass" / "2007_001.png").unlink()
    with pytest.raises(DataError, match="SegmentationClass has no file for 2007_001"):
        read_dataset(tmp_path)


def test_a_table_of_masks(tmp_path):
    two_folders(tmp_path / "files", [disk((0, 1))] * 4)
    files = [f"files/images/scan {n}.jpg,files/masks/scan {n}.png" for n in range(4)]
    rows = [f"{file},p{n // 2},{'train' if n else 'test'}" for n, file in enumerate(files)]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,mask,patient,split", *rows]), encoding="utf-8")
    data = read_dataset(table, group="patient", check=False)
    assert data.groups.tolist() == ["p0", "p0", "p1", "p1"] and data.split.tolist() == ["test"] + ["train"] * 3
    assert data.targets.files.read(0).sum() == 16
    table.write_text("\n".join(["path,mask", *files[:3], "x.png,y.png"]), encoding="utf-8")
    with pytest.raises(DataError, match="line 5: the file .*x.png does not exist"):
        read_dataset(table)


def test_a_table_with_labels_and_masks_is_one_of_labels_unless_the_task_says_otherwise(tmp_path):
    two_folders(tmp_path / "files", [disk((0, 1))] * 6)
    rows = [f"files/images/scan {n}.jpg,files/masks/scan {n}.png,{'ab'[n % 2]}" for n in range(6)]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,mask,label", *rows]), encoding="utf-8")
    assert read_dataset(table).task == "classification"
    assert read_dataset(table, task="segmentation").task == "segmentation"
    assert read_dataset(table, label="mask", task="segmentation").task == "segmentation"


def test_arrays(tmp_path):
    masks = np.stack([disk((0, 1))] * 5)
    images = np.stack([picture()] * 5)
    np.savez(tmp_path / "a.npz", images=images, masks=masks, group=np.arange(5) // 2)
    data = read_dataset(tmp_path / "a.npz")
    assert (data.task, data.classes, len(set(data.groups))) == ("segmentation", BINARY, 3)
    np.testing.assert_array_equal(data.targets.files.read(2)[..., 0], masks[0])
    np.savez(tmp_path / "b.npz", train_images=images, train_masks=masks > 0, testA_images=images, testA_masks=masks > 0)
    assert np.unique(read_dataset(tmp_path / "b.npz").split).tolist() == ["test", "train"]
    np.savez(tmp_path / "c.npz", images=images, labels=masks * 2, class_names=["soil", "sky", "rock"])
    named = read_dataset(tmp_path / "c.npz")
    assert named.classes == ("soil", "sky", "rock") and named.counts().tolist() == [5, 0, 5]
    np.savez(tmp_path / "d.npz", images=images, masks=masks, label=np.arange(5) % 2)
    assert read_dataset(tmp_path / "d.npz", task="classification", check=False).task == "classification"
    np.savez(tmp_path / "e.npz", images=images, masks=masks[:, :5])
    with pytest.raises(DataError, match=r"shape \(5, 5, 10\), but the masks of 'images' must have \(5, 12, 10\)"):
        read_dataset(tmp_path / "e.npz")


def test_numbered_objects_are_one_class_unless_told_otherwise(tmp_path):
    two_folders(tmp_path, [objects(number) for number in (3, 5, 1, 6)])
    data = read_dataset(tmp_path)
    assert data.classes == BINARY
    assert any("instance ids" in note for note in data.notes)
    np.testing.assert_array_equal(data.targets.files.read(1)[..., 0], objects(5) > 0)
    assert len(read_dataset(tmp_path, masks="classes").classes) == 7
    (tmp_path / "classes.txt").write_text("stroma\ngland\n", encoding="utf-8")
    assert read_dataset(tmp_path).classes == ("stroma", "gland")


@pytest.mark.parametrize("value", [1, 255])
def test_two_names_are_those_of_binary_masks_whatever_their_values(tmp_path, value):
    masks = [disk((0, value)) for _ in range(4)]
    if value == 1:
        masks[0][0] = VOID
    two_folders(tmp_path, masks)
    (tmp_path / "classes.txt").write_text("stroma\ngland\n", encoding="utf-8")
    data = read_dataset(tmp_path)
    assert data.classes == ("stroma", "gland")
    assert set(np.unique(data.targets.files.read(0))) == ({0, 1, VOID} if value == 1 else {0, 1})


def test_several_classes_are_not_taken_for_objects(tmp_path):
    generator = np.random.default_rng(1)
    masks = [generator.integers(0, 4, (20, 20)).astype(np.uint8) for _ in range(4)]
    masks[0][:2] = VOID
    data = read_dataset(two_folders(tmp_path, masks))
    assert data.classes == ("background", "1", "2", "3")
    np.testing.assert_array_equal(data.targets.files.read(0)[..., 0], masks[0])
    gaps = read_dataset(two_folders(tmp_path / "gaps", [mask % 4 * 20 for mask in masks]))
    assert gaps.classes == ("background", "20", "40", "60")
    np.testing.assert_array_equal(gaps.targets.files.read(1)[..., 0], masks[1])


def test_colors_by_a_table(tmp_path):
    colors = {"soil": (128, 0, 0), "sky": (0, 0, 255), "void": (0, 0, 0)}
    mask = np.array([colors[name] for name in ("soil", "sky", "void")], np.uint8)[disk((0, 1))]
    mask[0] = colors["void"]
    two_folders(tmp_path, [mask] * 4)
    with pytest.raises(DataError, match=r"masks/scan 0.png is a color image, .*colors.csv with the columns"):
        read_dataset(tmp_path)
    (tmp_path / "colors.csv").write_text("name,r,g,b\nsoil,128,0,0\nsky,0,0,255\nvoid,0,0,0\n", encoding="utf-8")
    data = read_dataset(tmp_path)
    expected = disk((0, 1))
    expected[0] = VOID
    assert data.classes == ("soil", "sky")
    np.testing.assert_array_equal(data.targets.files.read(0)[..., 0], expected)
    (tmp_path / "colors.toml").write_text("soil = [128, 0, 0]\nvoid = [0, 0, 0]\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"color \(0, 0, 255\), which is not in the table of colors"):
        read_dataset(tmp_path)
    for wrong in ("soil = [1, 2]\n", "soil = [1, 2, 300]\n", "a = [1, 1, 1]\nb = [1, 1, 1]\n", "soil = 3\n", "[", ""):
        (tmp_path / "colors.toml").write_text(wrong, encoding="utf-8")
        with pytest.raises(DataError, match="is not a valid table of colors"):
            read_colors(tmp_path)


def broken(kind, root):
    two_folders(root, [disk((0, 1))] * 4)
    if kind == "alone":
        save(root / "masks" / "scan 9.png", disk((0, 1)))
    elif kind == "missing":
        (root / "masks" / "scan 2.png").unlink()
    elif kind == "size":
        save(root / "masks" / "scan 1.png", disk((0, 1), (12, 11)))
    elif kind == "beyond":
        (root / "classes.txt").write_text("a\nb\nc\n", encoding="utf-8")
        save(root / "masks" / "scan 1.png", disk((0, 3)))
    elif kind == "void":
        save(root / "masks" / "scan 0.png", disk((0, 2)))
        save(root / "masks" / "scan 1.png", np.full((12, 10), VOID, np.uint8))
    elif kind == "jpeg":
        (root / "masks" / "scan 1.png").unlink()
        save(root / "masks" / "scan 1.jpg", disk((0, 255)))
    elif kind == "smeared":
        two_folders(root, [np.random.default_rng(0).integers(0, 255, (30, 30)).astype(np.uint8)] * 4)
    elif kind == "damaged":
        (root / "masks" / "scan 1.png").write_bytes(b"\x89PNG nothing")
    elif kind == "nothing":
        two_folders(root, [disk((0, 0))] * 4)
    elif kind == "float":
        (root / "masks" / "scan 1.png").unlink()
        save(root / "masks" / "scan 1.tif", np.zeros((12, 10), np.float32))
    return root


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("alone", "the mask masks/scan 9.png has no image of the same name"),
        ("missing", "the image images/scan 2.jpg has no mask; add one (black for background only)"),
        ("size", "masks/scan 1.png has 11×12 pixels, but its image scan 1.jpg has 10×12"),
        ("beyond", "masks/scan 1.png contains the value 3, but the classes are 0 to 2"),
        ("void", "masks/scan 1.png is entirely void (255)"),
        ("jpeg", "scan 1.jpg is a JPEG, whose compression changes the labels; save masks as PNG"),
        ("smeared", "distinct values, too many for classes"),
        ("damaged", "scan 1.png is not a JPEG, PNG"),
        ("nothing", "the masks contain only background (0)"),
        ("float", "contains floating-point numbers; save masks as integers"),
    ],
)
def test_bad_masks_are_told_in_one_sentence(tmp_path, kind, said):
    with pytest.raises(DataError) as caught:
        read_dataset(broken(kind, tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_masks(tmp_path):
    for name in ("cat", "dog"):
        for number in range(3):
            save(tmp_path / name / f"{number}.png", picture())
    assert detect(tmp_path).format == "class folders"
    with pytest.raises(DataError, match="contains no images with masks"):
        read_dataset(tmp_path, task="segmentation")


def test_masks_are_brought_to_size_without_new_classes(tmp_path):
    mask = np.random.default_rng(0).integers(0, 3, (40, 60)).astype(np.uint8) * 7
    data = read_dataset(two_folders(tmp_path, [mask] * 4))
    for resize in ("squash", "crop", "pad"):
        small = Preprocessing(20, 20, 3, resize).for_masks().read(data.targets.files, 0)
        assert small.shape == (20, 20, 1)
        assert set(np.unique(small)) <= ({0, 1, 2, VOID} if resize == "pad" else {0, 1, 2})
    padded = Preprocessing(20, 20, 3, "pad")
    image = padded.read(data.images, 0)
    beside = padded.for_masks().read(data.targets.files, 0)[..., 0] == VOID
    assert beside.any() and (image[beside] == 0).all()
    whole = Preprocessing(40, 60, 3).for_masks().read(data.targets.files, 0)[..., 0]
    np.testing.assert_array_equal(whole, mask // 7)


def test_codings():
    coding = Coding.from_table({0: 0, 7: 1, 255: VOID})
    assert coding.apply(np.array([[7, 0], [255, 7]])).tolist() == [[1, 0], [VOID, 1]]
    with pytest.raises(ValueError, match="9"):
        coding.apply(np.array([9]))
    seen = [summarize_mask("a", np.array([[0, 3], [3, 255]], np.uint8))]
    assert resolve_mask_coding("data", seen).coding.apply(seen[0].values).tolist() == [0, 1, VOID]


def test_a_value_that_turned_up_later_is_named(tmp_path):
    data = read_dataset(two_folders(tmp_path, [disk((0, 2)), disk((1, 2)), disk((0, 1)), disk((0, 1))]))
    save(tmp_path / "masks" / "scan 1.png", disk((0, 9)))
    with pytest.raises(UnreadableImageError, match="contains the value 9, which has no class"):
        data.targets.files.read(1)
    assert read_names(tmp_path) is None
