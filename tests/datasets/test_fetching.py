"""Fetching from a server that is honest, slow, broken or absent; what the user has stays as it is."""

import io
import socket
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from regbench import datasets
from regbench.datasets import State, download
from regbench.errors import DataError, UnknownNameError

PART = "cifar-10-binary.tar.gz.regbench.part"


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_packed_files_are_downloaded_as_they_are(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    server.files |= small.published
    (finding,) = datasets.fetch(["mnist"], tmp_path)
    assert (finding.state, finding.folder) == (State.OFFICIAL, tmp_path / "mnist")
    assert snapshot(tmp_path / "mnist") == small.published
    assert server.requests == [(name, None) for name in small.published]
    assert len(datasets.load("mnist", tmp_path).train_targets) == 6


def test_archive_is_unpacked_and_removed(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    (finding,) = datasets.fetch(["cifar10"], tmp_path)
    assert finding.state is State.OFFICIAL
    assert snapshot(tmp_path / "cifar-10") == small.contents
    assert len(server.requests) == 1


def test_matlab_files_are_converted_and_removed(tmp_path: Path, server: Any, small_svhn: Callable) -> None:
    published = {}
    for name, count in (("train_32x32.mat", 5), ("test_32x32.mat", 3)):
        buffer = io.BytesIO()
        pixels = np.full((32, 32, 3, count), np.arange(count), np.uint8)
        savemat(buffer, {"X": pixels, "y": np.array([[10], [1], [9], [2], [3]], np.uint8)[:count]})
        published[name] = buffer.getvalue()
    small_svhn(server.address, published)
    server.files |= published
    (finding,) = datasets.fetch(["svhn"], tmp_path)
    assert finding.state is State.UNVERIFIABLE
    assert sorted(snapshot(tmp_path / "svhn")) == ["data_batch_0.bin", "data_batch_1.bin", "test_batch.bin"]
    data = datasets.load("svhn", tmp_path)
    assert data.train_targets.tolist() == [0, 1, 9, 2]
    np.testing.assert_array_equal(data.train_inputs[:, 5, 7, 2], [0, 1, 2, 3])


def test_several_data_sets_are_fetched_in_order(
    tmp_path: Path, server: Any, small_mnist: Callable, small_cifar10: Callable
) -> None:
    server.files |= small_mnist(server.address).published | small_cifar10(server.address).published
    findings = datasets.fetch(["cifar10", "digits", "mnist"], tmp_path)
    assert [(finding.dataset, finding.state) for finding in findings] == [
        ("cifar10", State.OFFICIAL),
        ("digits", State.BUILT_IN),
        ("mnist", State.OFFICIAL),
    ]


def test_unknown_name_stops_before_anything_is_fetched(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    server.files |= small_mnist(server.address).published
    with pytest.raises(UnknownNameError):
        datasets.fetch(["mnist", "mnits"], tmp_path)
    assert server.requests == []


def test_progress_ends_with_the_whole_file(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    server.files |= small.published
    seen = []
    datasets.fetch(["mnist"], tmp_path, progress=lambda *values: seen.append(values))
    assert seen == [(name, len(content), len(content)) for name, content in small.published.items()]


def test_second_fetch_asks_the_server_for_nothing(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    server.files |= small_cifar10(server.address).published
    datasets.fetch(["cifar10"], tmp_path)
    server.requests.clear()
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert server.requests == []


def test_what_is_complete_in_one_folder_is_not_fetched_into_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any, small_cifar10: Callable
) -> None:
    small = small_cifar10(server.address)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "own"))
    here = fill(tmp_path / "data_deepobs" / "cifar-10", small.contents)
    (finding,) = datasets.fetch(["cifar10"])
    assert (finding.state, finding.folder) == (State.OFFICIAL, here)
    assert not (tmp_path / "own").exists()


def test_cut_connection_is_resumed_at_once(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    server.answers = [1000, 2000]
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=3000-"]


def test_interrupted_fetch_goes_on_where_it_ended(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    server.answers = [1000, 0]
    with pytest.raises(DataError, match=r"the connection ended early\)\. Run the same command again to go on"):
        datasets.fetch(["cifar10"], tmp_path)
    folder = tmp_path / "cifar-10"
    assert snapshot(folder) == {PART: small.published["cifar-10-binary.tar.gz"][:1000]}
    assert datasets.status(["cifar10"], tmp_path)[0].state is State.MISSING
    server.requests.clear()
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-"]
    assert snapshot(folder) == small.contents


def test_download_that_was_whole_is_used_without_the_network(
    tmp_path: Path, server: Any, small_cifar10: Callable
) -> None:
    small = small_cifar10(server.address)
    fill(tmp_path / "cifar-10", {PART: small.published["cifar-10-binary.tar.gz"]})
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert server.requests == []


def test_server_without_ranges_sends_everything_again(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    server.knows_ranges = False
    server.answers = [1000]
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-"]
    assert snapshot(tmp_path / "cifar-10") == small.contents


def test_server_that_always_cuts_at_the_same_place_is_given_up(
    tmp_path: Path, server: Any, small_cifar10: Callable
) -> None:
    server.files |= small_cifar10(server.address).published
    server.knows_ranges = False
    server.answers = [1000] * 10
    with pytest.raises(DataError, match="the connection ended early"):
        datasets.fetch(["cifar10"], tmp_path)
    assert len(server.requests) == 2


def test_corrupted_bytes_are_refused_and_not_kept(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    first = "train-images-idx3-ubyte.gz"
    corrupted = bytearray(small.published[first])
    corrupted[500] ^= 1
    server.files |= small.published | {first: bytes(corrupted)}
    with pytest.raises(DataError, match=r"SHA-256 of the file must be [0-9a-f]{64}\. Received: [0-9a-f]{64}\."):
        datasets.fetch(["mnist"], tmp_path)
    assert snapshot(tmp_path / "mnist") == {}
    server.files |= small.published
    assert datasets.fetch(["mnist"], tmp_path)[0].state is State.OFFICIAL


def test_wrong_beginning_of_a_resumed_download_is_found_out(
    tmp_path: Path, server: Any, small_cifar10: Callable
) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    folder = fill(tmp_path / "cifar-10", {PART: bytes(1000)})
    with pytest.raises(DataError, match="Nothing was kept"):
        datasets.fetch(["cifar10"], tmp_path)
    assert snapshot(folder) == {}
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL


@pytest.mark.parametrize("begun", [b"", bytes(1000)])
def test_another_file_than_the_published_one_is_refused_before_it_is_written(
    tmp_path: Path, server: Any, small_cifar10: Callable, begun: bytes
) -> None:
    small_cifar10(server.address)
    server.files["cifar-10-binary.tar.gz"] = b"<html>Please log in</html>" * 100
    folder = fill(tmp_path / "cifar-10", {PART: begun})
    with pytest.raises(DataError, match="the server must announce"):
        datasets.fetch(["cifar10"], tmp_path)
    assert snapshot(folder) == {PART: begun}


def test_file_that_is_not_on_the_server_is_one_line_with_advice(
    tmp_path: Path, server: Any, small_cifar10: Callable
) -> None:
    small_cifar10(server.address)
    with pytest.raises(DataError) as caught:
        datasets.fetch(["cifar10"], tmp_path)
    assert str(caught.value) == (
        f"`cifar-10-binary.tar.gz` could not be downloaded from {server.address}cifar-10-binary.tar.gz "
        "(HTTP 404 Not Found). Run the same command again to go on where it ended, or place the file into "
        f"{tmp_path / 'cifar-10'} by hand and run it then"
    )


def test_no_network_is_one_line_with_address_and_advice(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    small_cifar10(address)
    with pytest.raises(DataError, match=r"Connection refused\)\. .* place the file into .* by hand") as caught:
        datasets.fetch(["cifar10"], tmp_path)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_server_that_says_nothing_runs_into_the_time_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any, small_cifar10: Callable
) -> None:
    small_cifar10(server.address)
    server.hangs = True
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(DataError, match="timed out"):
        datasets.fetch(["cifar10"], tmp_path)


def test_second_address_goes_on_where_the_first_ended(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= {"mirror/cifar-10-binary.tar.gz": small.published["cifar-10-binary.tar.gz"]}
    record = small.dataset.files[0].download
    mirrored = replace(record, urls=(*record.urls, f"{server.address}mirror/{record.name}"))
    part = tmp_path / "part"
    part.write_bytes(small.published[record.name][:10])
    download.download(mirrored, part)
    assert part.read_bytes() == small.published[record.name]
    assert server.requests == [(record.name, "bytes=10-"), (f"mirror/{record.name}", "bytes=10-")]


def test_existing_files_stay_byte_identical(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published
    own = bytearray(small.contents["data_batch_2.bin"])
    own[100] ^= 1
    folder = fill(tmp_path / "cifar-10", {"data_batch_2.bin": bytes(own), "notes.txt": b"mine"})
    (finding,) = datasets.fetch(["cifar10"], tmp_path)
    assert snapshot(folder) == small.contents | {"data_batch_2.bin": bytes(own), "notes.txt": b"mine"}
    assert finding.state is State.DIFFERS
    assert finding.details[0] == "differs from the official files: data_batch_2.bin"
    assert "never overwritten" in finding.details[1]


def test_unpacked_file_of_the_user_is_enough(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    server.files |= small.published
    name = "train-images-idx3-ubyte"
    folder = fill(tmp_path / "mnist", {name: small.contents[f"{name}.gz"]})
    assert datasets.fetch(["mnist"], tmp_path)[0].state is State.OFFICIAL
    assert f"{name}.gz" not in snapshot(folder)


def test_damaged_file_of_the_user_is_reported_and_left(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    server.files |= small.published
    name = "train-images-idx3-ubyte.gz"
    folder = fill(tmp_path / "mnist", {name: b"damaged"})
    (finding,) = datasets.fetch(["mnist"], tmp_path)
    assert finding.state is State.DAMAGED
    assert snapshot(folder) == small.published | {name: b"damaged"}
    assert name not in [requested for requested, _ in server.requests]


def test_archive_placed_by_hand_is_used_and_left(tmp_path: Path, server: Any, small_cifar10: Callable) -> None:
    small = small_cifar10(server.address)
    folder = fill(tmp_path / "cifar-10", small.published)
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert snapshot(folder) == small.contents | small.published
    assert server.requests == []


def test_wrong_archive_placed_by_hand_is_reported_and_left(
    tmp_path: Path, server: Any, small_cifar10: Callable
) -> None:
    server.files |= small_cifar10(server.address).published
    placed = {"cifar-10-binary.tar.gz": b"something else"}
    folder = fill(tmp_path / "cifar-10", placed)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: the SHA-256 must be .* It was left as it is"):
        datasets.fetch(["cifar10"], tmp_path)
    assert snapshot(folder) == placed
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "kind"), [("../evil", tarfile.REGTYPE), ("/evil", tarfile.REGTYPE), ("evil", tarfile.SYMTYPE)]
)
def test_dishonest_archive_leaves_nothing_unpacked(
    tmp_path: Path, server: Any, small_cifar10: Callable, tar_bytes: Callable, name: str, kind: bytes
) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = "/etc/passwd"
    small = small_cifar10(server.address, tar_bytes(small_cifar10().contents, member))
    server.files |= small.published
    with pytest.raises(DataError, match=f"Received: '{name}'"):
        datasets.fetch(["cifar10"], tmp_path)
    assert snapshot(tmp_path / "cifar-10") == {PART: small.published["cifar-10-binary.tar.gz"]}
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10"]


def test_file_appears_under_its_name_only_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any, small_cifar10: Callable
) -> None:
    small = small_cifar10(server.address)
    server.files |= small.published

    def cut_short(path: Path, content: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(content[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut_short)
        with pytest.raises(DataError, match="No space left on device"):
            datasets.fetch(["cifar10"], tmp_path)
    assert all(name.endswith(".regbench.part") for name in snapshot(tmp_path / "cifar-10"))
    assert datasets.fetch(["cifar10"], tmp_path)[0].state is State.OFFICIAL
    assert snapshot(tmp_path / "cifar-10") == small.contents


def test_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    small = small_mnist(server.address)
    server.files |= small.published
    first = "train-images-idx3-ubyte.gz"

    def place(*_: object) -> None:
        fill(tmp_path / "mnist", {first: b"mine"})

    with pytest.raises(DataError, match="exists, and is left as it is"):
        datasets.fetch(["mnist"], tmp_path, progress=place)
    assert (tmp_path / "mnist" / first).read_bytes() == b"mine"


def test_folder_that_cannot_be_made_is_a_data_error(tmp_path: Path, server: Any, small_mnist: Callable) -> None:
    server.files |= small_mnist(server.address).published
    (tmp_path / "mnist").write_bytes(b"a file in the way")
    with pytest.raises(DataError, match="must be a folder that can be written"):
        datasets.fetch(["mnist"], tmp_path)
    assert (tmp_path / "mnist").read_bytes() == b"a file in the way"
