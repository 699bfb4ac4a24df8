"""Downloads of named data sets with torchvision, each file checked against its published MD5 sum."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from opsin.errors import DataError

_TIMEOUT = 30.0  # seconds without a response before a server is abandoned


@dataclass(frozen=True)
class Download:
    """One file of a data set.

    Attributes:
        addresses: URLs of the file, tried in turn.
        filename: Its name, at the URL and on disk.
        md5: The published checksum.
        members: For a tar archive, the files to extract. They are written under their base names, so that no path in
            the archive can leave the folder.
    """

    addresses: tuple[str, ...]
    filename: str
    md5: str
    members: tuple[str, ...] = ()


def fetch(downloads: tuple[Download, ...], folder: Path) -> None:
    """Download files into ``folder``, which is created only when they are complete.

    Raises:
        DataError: They cannot be downloaded, have a wrong checksum, or cannot be written.
    """
    made = ""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.")
        with _socket_timeout():
            for download in downloads:
                _fetch_one(download, Path(made))
        folder.mkdir(exist_ok=True)
        for file in Path(made).iterdir():
            os.replace(file, folder / file.name)
    except (OSError, RuntimeError, HTTPException, tarfile.TarError) as error:
        words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(f"The download to {folder} failed: {words}.") from error
    finally:
        if made:
            shutil.rmtree(made, ignore_errors=True)


def _fetch_one(download: Download, folder: Path) -> None:
    from torchvision.datasets.utils import download_url

    for number, address in enumerate(download.addresses, 1):
        try:
            download_url(address, str(folder), download.filename, download.md5)
            break
        except (OSError, RuntimeError, HTTPException):
            if number == len(download.addresses):
                raise
    if download.members:
        archive = folder / download.filename
        take_members(archive, download.members, folder)
        archive.unlink()


def take_members(archive: Path, names: tuple[str, ...], folder: Path) -> None:
    """Extract the regular files called ``names`` from a tar archive, at any depth, into ``folder``.

    Raises:
        tarfile.TarError: The archive is damaged or lacks one of them.
    """
    missing = set(names)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.rpartition("/")[2]
            source = tar.extractfile(member) if member.isfile() and name in missing else None
            if source is not None:
                with (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                missing.discard(name)
    if missing:
        raise tarfile.TarError(f"{archive.name} does not hold {', '.join(sorted(missing))}")


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
