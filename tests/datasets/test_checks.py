"""Looking at what is there, and comparing it with what was published."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from regbench import datasets
from regbench.datasets import State, mnist, registry
from regbench.errors import UnknownNameError


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("look", [datasets.status, datasets.verify])
def test_data_without_files_are_built_in(look: Callable) -> None:
    findings = look(["digits", "quadratic", "two_d"])
    assert [finding.dataset for finding in findings] == ["digits", "quadratic", "two_d"]
    assert {finding.state for finding in findings} == {State.BUILT_IN}


@pytest.mark.parametrize("look", [datasets.status, datasets.verify])
def test_missing_files_are_no_error(tmp_path: Path, look: Callable) -> None:
    (finding,) = look(["svhn"], tmp_path)
    assert (finding.state, finding.folder, finding.size) == (State.MISSING, None, 0)
    assert finding.details == (f"searched: {tmp_path / 'svhn'}",)


@pytest.mark.parametrize("look", [datasets.status, datasets.verify])
def test_a_lacking_file_is_named(tmp_path: Path, small_cifar10: Callable, look: Callable) -> None:
    contents = small_cifar10().contents
    del contents["data_batch_2.bin"]
    folder = fill(tmp_path / "cifar-10", contents)
    (finding,) = look(["cifar10"], tmp_path)
    assert (finding.state, finding.folder) == (State.INCOMPLETE, folder)
    assert finding.size == sum(map(len, contents.values()))
    assert finding.details == ("lacks data_batch_2.bin",)


@pytest.mark.parametrize("look", [datasets.status, datasets.verify])
def test_unknown_names_are_an_error(look: Callable) -> None:
    with pytest.raises(UnknownNameError):
        look(["digits", "imagenets"])


def test_status_says_present_without_reading(tmp_path: Path, small_cifar10: Callable) -> None:
    contents = {name: bytes([255]) * len(content) for name, content in small_cifar10().contents.items()}
    fill(tmp_path / "cifar-10", contents)
    (finding,) = datasets.status(["cifar10"], tmp_path)
    assert (finding.state, finding.details) == (State.PRESENT, ())
    (finding,) = datasets.verify(["cifar10"], tmp_path)
    assert finding.state is State.DAMAGED
    assert "labels must be in 0..9. Received: 255" in finding.details[0]


def test_status_sees_a_wrong_size(tmp_path: Path, small_cifar10: Callable) -> None:
    contents = small_cifar10().contents
    contents["test_batch.bin"] += b"\0"
    folder = fill(tmp_path / "cifar-10", contents)
    (finding,) = datasets.status(["cifar10"], tmp_path)
    assert finding.state is State.DAMAGED
    assert finding.details == (f"{folder / 'test_batch.bin'}: must hold 6146 bytes. Received: 6147",)


def test_official_content_is_recognised_however_it_is_packed(tmp_path: Path, small_mnist: Callable) -> None:
    small = small_mnist()
    contents = {name: gzip.compress(content, compresslevel=1) for name, content in small.contents.items()}
    assert contents != small.published
    last = "t10k-labels-idx1-ubyte.gz"
    contents["t10k-labels-idx1-ubyte"] = small.contents[last]
    del contents[last]
    fill(tmp_path / "mnist", contents)
    (finding,) = datasets.verify(["mnist"], tmp_path)
    assert (finding.state, finding.details) == (State.OFFICIAL, ("the content equals the official files",))
    assert finding.size == sum(map(len, contents.values()))


def test_other_content_differs_from_the_official_files(tmp_path: Path, small_cifar10: Callable) -> None:
    contents = small_cifar10().contents
    changed = bytearray(contents["data_batch_2.bin"])
    changed[100] ^= 1
    contents["data_batch_2.bin"] = bytes(changed)
    fill(tmp_path / "cifar-10", contents)
    (finding,) = datasets.verify(["cifar10"], tmp_path)
    assert (finding.state, finding.details) == (
        State.DIFFERS,
        ("differs from the official files: data_batch_2.bin",),
    )


def test_damaged_file_is_a_finding_and_no_error(tmp_path: Path, small_mnist: Callable) -> None:
    small = small_mnist()
    cut = small.published["train-images-idx3-ubyte.gz"][:-20]
    folder = fill(tmp_path / "mnist", small.published | {"train-images-idx3-ubyte.gz": cut})
    (finding,) = datasets.verify(["mnist"], tmp_path)
    assert finding.state is State.DAMAGED
    assert finding.details[0].startswith(f"{folder / 'train-images-idx3-ubyte.gz'}: must be a whole gzip file")


def test_without_a_checksum_of_the_content_the_packed_file_counts(
    tmp_path: Path, small_mnist: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_mnist()
    unknown = replace(small.dataset, files=tuple(replace(file, sha256=None) for file in small.dataset.files))
    monkeypatch.setitem(registry._READERS, "mnist", (unknown, mnist.read))
    fill(tmp_path / "mnist", small.published)
    assert datasets.verify(["mnist"], tmp_path)[0].state is State.OFFICIAL
    repacked = gzip.compress(small.contents["t10k-labels-idx1-ubyte.gz"], compresslevel=1, mtime=1)
    fill(tmp_path / "mnist", {"t10k-labels-idx1-ubyte.gz": repacked})
    (finding,) = datasets.verify(["mnist"], tmp_path)
    assert finding.state is State.UNVERIFIABLE
    assert finding.details == (
        "well-formed; there is no published checksum to compare with: t10k-labels-idx1-ubyte.gz",
    )
