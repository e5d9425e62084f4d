"""Taking files out of archives, honest and other."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from regbench.datasets import archive
from regbench.datasets.dataset import DataFile, Download
from regbench.errors import DataError

RECORD = Download("files.tar.gz", ("http://127.0.0.1:9/files.tar.gz",), 1, "00")
FILES = (DataFile("one.bin", 3, None, RECORD), DataFile("two.bin", 4, None, RECORD))
CONTENTS = {"inside/one.bin": b"one", "inside/readme.html": b"<html>", "inside/two.bin": b"zwei"}


def members(folder: Path, content: bytes) -> dict[str, bytes]:
    path = folder / "files.tar.gz"
    path.write_bytes(content)
    return {file.name: taken for file, taken in archive.members(path, FILES)}


def strange(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def test_only_the_wanted_files_are_taken(tmp_path: Path, tar_bytes: Callable) -> None:
    packed = tar_bytes(CONTENTS, strange("inside/folder", tarfile.DIRTYPE))
    assert members(tmp_path, packed) == {"one.bin": b"one", "two.bin": b"zwei"}
    assert [path.name for path in tmp_path.iterdir()] == ["files.tar.gz"]


@pytest.mark.parametrize(
    "member",
    [
        strange("../evil"),
        strange("inside/../../evil"),
        strange("/evil"),
        strange("inside/link", tarfile.SYMTYPE, "one.bin"),
        strange("inside/link", tarfile.SYMTYPE, "/etc/passwd"),
        strange("inside/hard", tarfile.LNKTYPE, "inside/one.bin"),
        strange("inside/pipe", tarfile.FIFOTYPE),
        strange("inside/device", tarfile.CHRTYPE),
    ],
    ids=lambda member: member.name,
)
def test_dishonest_member_spoils_the_whole_archive(
    tmp_path: Path, tar_bytes: Callable, member: tarfile.TarInfo
) -> None:
    with pytest.raises(DataError) as caught:
        members(tmp_path, tar_bytes(CONTENTS, member))
    assert "plain files and folders" in str(caught.value)
    assert f"Received: {member.name!r}" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["files.tar.gz"]


def test_lacking_file_is_named(tmp_path: Path, tar_bytes: Callable) -> None:
    with pytest.raises(DataError, match=r"must hold one\.bin, two\.bin\. Received: one\.bin"):
        members(tmp_path, tar_bytes({"one.bin": b"one"}))


def test_file_of_a_wrong_size_is_refused(tmp_path: Path, tar_bytes: Callable) -> None:
    with pytest.raises(
        DataError, match=r"must hold `two\.bin` once, with 4 bytes\. Received: 'inside/two\.bin' with 3"
    ):
        members(tmp_path, tar_bytes(CONTENTS | {"inside/two.bin": b"two"}))


def test_file_that_is_there_twice_is_refused(tmp_path: Path, tar_bytes: Callable) -> None:
    with pytest.raises(DataError, match=r"must hold `two\.bin` once"):
        members(tmp_path, tar_bytes(CONTENTS | {"elsewhere/two.bin": b"zwei"}))


@pytest.mark.parametrize("kept", [0, 5, 40, 100])
def test_cut_archive_is_refused(tmp_path: Path, tar_bytes: Callable, kept: int) -> None:
    with pytest.raises(DataError, match=r"whole \.tar\.gz archive"):
        members(tmp_path, tar_bytes(CONTENTS)[:kept])


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"whole \.tar\.gz archive"):
        members(tmp_path, b"<html>Not found</html>")


@pytest.mark.parametrize("size", [b"\x80" + b"\x7f" * 11, b"\xff" * 12, b"\x80" + bytes(3) + b"\x7f" * 8])
def test_size_that_no_file_has_is_refused(tmp_path: Path, tar_bytes: Callable, size: bytes) -> None:
    content = gzip.decompress(tar_bytes(CONTENTS))
    header = content[:124] + size + content[136:148] + b" " * 8 + content[156:512]
    content = header[:148] + b"%06o\0 " % sum(header) + header[156:] + content[512:]
    with pytest.raises(DataError, match=r"files\.tar\.gz: must"):
        members(tmp_path, gzip.compress(content))


def test_extended_header_that_is_none_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = strange("one.bin")
        member.pax_headers = {"GNU.sparse.map": "x,y", "GNU.sparse.size": "z"}
        tar.addfile(member)
    with pytest.raises(DataError, match=r"whole \.tar\.gz archive"):
        members(tmp_path, gzip.compress(buffer.getvalue()))
