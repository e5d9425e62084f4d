"""Images of one's own, a folder a class."""

import contextlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from regbench import datasets
from regbench.datasets import State
from regbench.errors import DataError


def write(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (200, 200)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, of one image each in all splits, and one more in training."""
    for number, split in enumerate(("train", "valid", "test")):
        for label, name in enumerate(("ant", "bee")):
            write(tmp_path / "silhouettes" / split / name / "1.png", (100 * label, 10 * number, 7))
    write(tmp_path / "silhouettes" / "train" / "ant" / "0.bmp", (1, 2, 3), (50, 400))
    return tmp_path


def test_images_are_read_in_the_order_of_classes_and_names(folder: Path) -> None:
    (folder / "silhouettes" / "train" / "ant" / "notes.txt").write_text("no image")
    (folder / "silhouettes" / "train" / ".cache").mkdir()
    data = datasets.load("silhouettes", folder)
    assert (data.train_inputs.dtype, data.train_inputs.shape) == (np.uint8, (3, 200, 200, 3))
    assert data.validation_inputs is not None
    assert data.validation_targets is not None
    assert data.train_targets.dtype == np.int32
    np.testing.assert_array_equal(data.train_targets, [0, 0, 1])
    for split, colours in (
        ("train", [(1, 2, 3), (0, 0, 7), (100, 0, 7)]),
        ("validation", [(0, 10, 7), (100, 10, 7)]),
        ("test", [(0, 20, 7), (100, 20, 7)]),
    ):
        images = getattr(data, f"{split}_inputs")
        np.testing.assert_array_equal(images[:, 0, 0], colours)
        np.testing.assert_array_equal(images, np.broadcast_to(images[:, :1, :1], images.shape))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA"])
def test_images_of_any_mode_become_three_channels(folder: Path, mode: str) -> None:
    path = folder / "silhouettes" / "test" / "ant" / "1.png"
    Image.new("RGB", (20, 20), (255, 255, 255)).convert(mode).save(path)
    np.testing.assert_array_equal(datasets.load("silhouettes", folder).test_inputs[0], 255)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: write(root / "valid" / "cat" / "1.png", (0, 0, 0)),
            "train and valid must have the same classes.*cat",
        ),
        (lambda root: (root / "test" / "ant" / "1.png").unlink(), r"test/ant: must hold at least one image \(.bmp,"),
        (
            lambda root: (root / "test" / "ant" / "1.png").write_bytes(b"png"),
            "1.png: must be an image. Received: cannot",
        ),
        (lambda root: (root / "train" / "bee").rename(root / "bees"), "train: must hold at least two folders"),
    ],
)
def test_folder_that_is_not_as_it_must_be_is_told(folder: Path, change: Callable[[Path], None], message: str) -> None:
    change(folder / "silhouettes")
    with pytest.raises(DataError, match=message):
        datasets.load("silhouettes", folder)


HUGE = 60_000  # pixels along each side
DAMAGED = {
    "no image": b"nothing",
    "a huge bitmap": b"BM"
    + bytes(8)
    + b"\x36\0\0\0\x28\0\0\0"
    + 2 * HUGE.to_bytes(4, "little")
    + b"\1\0\x18\0"
    + bytes(24),
    "a large bitmap": b"BM"
    + bytes(8)
    + b"\x36\0\0\0\x28\0\0\0"
    + 2 * (10_000).to_bytes(4, "little")
    + b"\1\0\x18\0"
    + bytes(24),
    "another format": b"P5 4 4 255\n" + bytes(16),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_image_that_cannot_be_read_is_refused_in_one_line(folder: Path, name: str) -> None:
    path = folder / "silhouettes" / "test" / "bee" / "1.png"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(DataError, match=r"1\.png: must be an image\. Received: ") as refused:
        datasets.load("silhouettes", folder)
    assert str(refused.value).isprintable()


def test_image_with_a_broken_chunk_is_refused(folder: Path) -> None:
    path = folder / "silhouettes" / "test" / "bee" / "1.png"
    before, content = path.read_bytes().split(b"IDAT", 1)
    length = int.from_bytes(before[-4:], "big")
    # The data are split over two chunks, and the name of the second one is none.
    rest = content[length + 4 :]
    chunk = b"IDAT" + content[:10]
    first = (10).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(before[:-4] + first + (5).to_bytes(4, "big") + b"\x01\x02\x03\x04" + bytes(9) + rest)
    with pytest.raises(DataError, match=r"1\.png: must be an image\. Received: broken PNG file"):
        datasets.load("silhouettes", folder)


def test_postscript_is_not_handed_to_another_program(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o700)
    monkeypatch.setenv("PATH", str(ghostscript.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    path = folder / "silhouettes" / "test" / "bee" / "1.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with contextlib.suppress(OSError), Image.open(path) as image:
        image.load()
    assert (tmp_path / "started").exists()  # so it would be, without the list of formats
    (tmp_path / "started").unlink()
    with pytest.raises(DataError, match="must be an image"):
        datasets.load("silhouettes", folder)
    assert not (tmp_path / "started").exists()


def test_lacking_folder_is_told_with_what_to_do(tmp_path: Path) -> None:
    own = r"Nobody publishes them: bring your own \(train/, valid/, test/\)"
    with pytest.raises(DataError, match=own):
        datasets.locate("silhouettes", tmp_path)
    with pytest.raises(DataError, match=f"`silhouettes` cannot be fetched. {own}"):
        datasets.fetch(["digits", "silhouettes"], tmp_path)
    (finding,) = datasets.status(["silhouettes"], tmp_path)
    assert finding.state is State.MISSING
    assert "Nobody publishes them" in finding.details[1]


def test_data_that_nobody_publishes_are_not_among_those_that_are_fetched() -> None:
    assert set(datasets.names()) - set(datasets.published()) == {"imagenet", "silhouettes", "tolstoi"}


def test_folder_is_found_and_cannot_be_verified(folder: Path) -> None:
    files = [path for path in (folder / "silhouettes").rglob("*") if path.is_file()]
    (finding,) = datasets.status(["silhouettes"], folder)
    assert (finding.state, finding.folder) == (State.PRESENT, folder / "silhouettes")
    assert finding.size == sum(path.stat().st_size for path in files)
    (finding,) = datasets.verify(["silhouettes"], folder)
    assert finding.state is State.UNVERIFIABLE
    (folder / "silhouettes" / "valid").rename(folder / "elsewhere")
    (finding,) = datasets.status(["silhouettes"], folder)
    assert (finding.state, finding.details) == (State.INCOMPLETE, ("lacks valid/",))
