from __future__ import annotations

import errno

import pytest

from opsin.errors import RunError
from opsin.files import read_json_lines, replacing, write_json_lines, write_text


def test_an_error_while_writing_keeps_the_old_content(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half of the new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(RunError, match="the disk is full") as caught, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "file.txt" in str(caught.value)
    assert path.read_text() == "old"


def test_a_folder_that_is_gone_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="does not exist any more"):
        write_text(tmp_path / "gone" / "file.txt", "new")


def test_json_lines_round_trip(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "name": "Ä"}]
    write_json_lines(tmp_path / "a.jsonl", rows)
    assert read_json_lines(tmp_path / "a.jsonl") == rows
    assert read_json_lines(tmp_path / "none.jsonl") == []
