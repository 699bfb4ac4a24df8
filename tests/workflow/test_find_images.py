from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opsin.errors import DataError
from opsin.workflow.find_images import find_images


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.JPG", "deep/c.png", "deep/er/d.webp"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path / "photos"


def names(*patterns: str) -> list[str]:
    return [path.as_posix() for path in find_images(patterns)]


def test_a_folder_means_every_image_below_it(photos: Path) -> None:
    assert names("photos") == ["photos/a.JPG", "photos/b.png", "photos/deep/c.png", "photos/deep/er/d.webp"]


def test_a_glob_that_the_shell_left_alone_is_expanded(photos: Path) -> None:
    assert names("photos/*.png") == ["photos/b.png"]
    assert names("photos/**/*.png") == ["photos/b.png", "photos/deep/c.png"]


def test_a_file_is_taken_whatever_its_name_and_each_only_once(photos: Path) -> None:
    assert names("photos/notes.txt", "photos/b.png", "photos/*.png") == ["photos/notes.txt", "photos/b.png"]


def test_a_name_that_looks_like_a_glob_is_found(photos: Path) -> None:
    (photos / "b.png").rename(photos / "b[1].png")
    assert names("photos/b[1].png") == ["photos/b[1].png"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("nothing.png", "does not exist"), ("*.gif", "matches nothing"), ("empty", "holds no images")],
)
def test_what_means_nothing_is_named(photos: Path, pattern: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        find_images([pattern])
    assert pattern in str(error.value)
