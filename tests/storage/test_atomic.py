from __future__ import annotations

import errno
import os
import stat

import pytest

import opsin.storage.atomic
from opsin.errors import RunError
from opsin.storage.atomic import read_json_lines, replacing, write_json_lines, write_text


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
    with pytest.raises(RunError, match="its folder does not exist"):
        write_text(tmp_path / "gone" / "file.txt", "new")


def test_json_lines_round_trip(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "name": "Ä\u2028\x85\n"}]
    write_json_lines(tmp_path / "a.jsonl", rows)
    assert read_json_lines(tmp_path / "a.jsonl") == rows
    assert read_json_lines(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("content", [b"[]\n", b'{"epoch": 1}\n{"epoch": ', b"\xff\xfe", b"3\n", b"null\n"])
def test_damaged_json_lines_are_one_sentence(tmp_path, content):
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    with pytest.raises(RunError, match="history.jsonl is damaged") as caught:
        read_json_lines(path)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path):
    (tmp_path / "history.jsonl").mkdir()
    with pytest.raises(RunError, match="history.jsonl cannot be read"):
        read_json_lines(tmp_path / "history.jsonl")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_new_files_may_be_read_by_whom_the_system_says_and_writing_leaves_the_umask_alone(tmp_path, monkeypatch):
    plain = tmp_path / "plain"
    plain.touch()
    monkeypatch.setattr(os, "umask", None)
    write_text(tmp_path / "ours", "text")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.fixture
def windows(monkeypatch):
    """Windows with a file that others have open for some attempts; returns (attempts to refuse, seconds waited)."""
    refuse, waited, replace = [0], [], os.replace

    def refusing(source, target):
        if refuse[0]:
            refuse[0] -= 1
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(opsin.storage.atomic, "WINDOWS", True)
    monkeypatch.setattr(os, "replace", refusing)
    monkeypatch.setattr("time.sleep", waited.append)
    return refuse, waited


def test_a_file_that_is_open_for_a_moment_is_waited_for(tmp_path, windows):
    windows[0][0] = 3
    write_text(tmp_path / "file.txt", "new")
    assert (tmp_path / "file.txt").read_text() == "new"
    assert 0 < sum(windows[1]) < 1


def test_a_file_that_stays_open_is_one_sentence_that_names_it(tmp_path, windows):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    windows[0][0] = 1000
    with pytest.raises(RunError, match=r"file\.txt could not be written: it is open in another program"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
    assert 0.8 < sum(windows[1]) < 1.5


def test_elsewhere_a_refusal_is_not_waited_for(tmp_path, windows, monkeypatch):
    monkeypatch.setattr(opsin.storage.atomic, "WINDOWS", False)
    windows[0][0] = 1
    with pytest.raises(RunError, match="is not writable"):
        write_text(tmp_path / "file.txt", "new")
    assert windows[1] == []
