"""Where files are looked for, and what is said when they are not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from regbench import datasets
from regbench.datasets.folders import home_folder
from regbench.errors import DataError


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and an empty cache."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("REGBENCH_DATA", raising=False)


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = (tmp_path / "work" / "data_deepobs", tmp_path / "cache" / "regbench" / "data")
    assert datasets.data_folders() == usual
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "own"))
    assert datasets.data_folders() == (tmp_path / "own", *usual)


def test_the_cache_is_below_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.data_folders()[-1] == tmp_path / ".cache" / "regbench" / "data"


def test_a_folder_that_is_given_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "own"))
    assert datasets.data_folders(Path("mine")) == (tmp_path / "work" / "mine",)


def test_the_first_folder_with_all_files_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_cifar10: Callable
) -> None:
    contents = small_cifar10().contents
    in_cache = fill(tmp_path / "cache" / "regbench" / "data" / "cifar-10", contents)
    assert datasets.locate("cifar10") == in_cache
    here = fill(tmp_path / "work" / "data_deepobs" / "cifar-10", {"test_batch.bin": b""})
    assert datasets.locate("cifar10") == in_cache
    fill(here, contents)
    assert datasets.locate("cifar10") == here
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "own"))
    assert datasets.locate("cifar10") == here
    own = fill(tmp_path / "own" / "cifar-10", contents)
    assert datasets.locate("cifar10") == own


def test_missing_files_are_reported_with_folders_and_advice(tmp_path: Path, small_cifar10: Callable) -> None:
    contents = small_cifar10().contents
    del contents["data_batch_2.bin"]
    partly = fill(tmp_path / "work" / "data_deepobs" / "cifar-10", contents)
    elsewhere = tmp_path / "cache" / "regbench" / "data" / "cifar-10"
    with pytest.raises(DataError) as caught:
        datasets.load("cifar10")
    assert str(caught.value) == (
        f"The files of the data set `cifar10` are not there. Searched: {partly} (lacks data_batch_2.bin); {elsewhere}. "
        "To get them: run `regbench data fetch cifar10`"
    )


def test_a_folder_in_place_of_a_file_is_a_missing_file(tmp_path: Path, small_cifar10: Callable) -> None:
    contents = small_cifar10().contents
    del contents["test_batch.bin"]
    folder = fill(tmp_path / "cifar-10", contents)
    (folder / "test_batch.bin").mkdir()
    with pytest.raises(DataError, match=r"lacks test_batch\.bin"):
        datasets.load("cifar10", tmp_path)


def test_new_files_go_to_the_cache_unless_a_folder_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist = datasets.get("mnist")
    assert home_folder(mnist) == tmp_path / "cache" / "regbench" / "data" / "mnist"
    (tmp_path / "work" / "data_deepobs").mkdir()
    assert home_folder(mnist) == tmp_path / "work" / "data_deepobs" / "mnist"
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "own"))
    assert home_folder(mnist) == tmp_path / "own" / "mnist"
    assert home_folder(mnist, tmp_path / "given") == tmp_path / "given" / "mnist"
