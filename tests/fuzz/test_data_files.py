"""Files of data sets, small ones in the real formats: arrays of the stated shape, or a refusal that names the file."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from regbench.datasets import archive, cifar10, cifar100, fetching, idx, mnist, svhn
from regbench.datasets.content import content_blocks
from regbench.datasets.dataset import DataFile, Download
from regbench.datasets.own.images import _read_image

from .inputs import byte_changes, change_bytes, fuzz, read_or_refuse

IMAGES, LABELS = 5, 10  # of the wanted files of idx; images have 3 x 4 pixels

contents = byte_changes | st.binary(max_size=200)
claims = st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([2049, 2051, 3, 4, 2**31]), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def changed(data: bytes, how: bytes | list) -> bytes:
    return how if isinstance(how, bytes) else change_bytes(data, how)


def idx_header(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def pack(data: bytes, is_packed: bool, how: list) -> bytes:
    """Some content as it lies on the disk, the packed bytes changed too."""
    return change_bytes(gzip.compress(data, compresslevel=1), how) if is_packed else data


@fuzz(0.08)
@given(st.booleans(), st.booleans(), contents | claims.map(tuple), st.just([]) | byte_changes)
def test_idx_files_are_read_or_refused(folder, are_images, is_packed, how, packed_how):
    shape = (IMAGES, 3, 4) if are_images else (LABELS,)
    data = idx_header(2051 if are_images else 2049, *shape) + bytes(i % 9 for i in range(int(np.prod(shape))))
    data = idx_header(*how) + bytes(60) if isinstance(how, tuple) else changed(data, how)
    path = folder / ("odd-idx.gz" if is_packed else "odd-idx")
    path.write_bytes(pack(data, is_packed, packed_how))
    if are_images:
        images = read_or_refuse("idx", lambda: idx.read_images(path, IMAGES, (3, 4, 1)), path)
        assert images is None or (images.shape, images.dtype) == ((IMAGES, 3, 4, 1), np.uint8)
    else:
        labels = read_or_refuse("idx", lambda: idx.read_labels(path, LABELS, 10), path)
        assert labels is None or ((labels.shape, labels.dtype) == ((LABELS,), np.int32) and labels.max() < 10)


@fuzz(0.02)
@given(st.integers(0, 3), st.booleans(), contents)
def test_mnist_with_an_odd_file_is_read_or_refused(folder, number, is_packed, how):
    sizes = [(6, 28, 28), (6,), (4, 28, 28), (4,)]
    wholes = [idx_header(2048 + len(size), *size) + bytes(int(np.prod(size))) for size in sizes]
    files = tuple(DataFile(file.name, len(whole)) for file, whole in zip(mnist.DATASET.files, wholes, strict=True))
    dataset = replace(mnist.DATASET, train_size=6, test_size=4, files=files)
    for place, (file, whole) in enumerate(zip(files, wholes, strict=True)):
        data = changed(whole, how) if place == number else whole
        (folder / file.name).write_bytes(gzip.compress(data, compresslevel=1) if place != number or is_packed else data)
    found = read_or_refuse("MNIST", lambda: mnist.read(dataset, folder), folder / files[number].name)
    assert found is None or found.train_inputs.shape == (6, 28, 28, 1)


RECORDS = {
    "CIFAR-10": (cifar10.DATASET, cifar10.read, 3073),
    "CIFAR-100": (cifar100.DATASET, cifar100.read, 3074),
    "SVHN": (svhn.DATASET, svhn.read, 3073),
}


@fuzz(0.06)
@given(st.sampled_from(sorted(RECORDS)), st.integers(0, 1), contents)
def test_record_files_are_read_or_refused(folder, name, number, how):
    original, read, record_bytes = RECORDS[name]
    files = (DataFile(f"{name}-train.bin", 4 * record_bytes), DataFile(f"{name}-test.bin", 2 * record_bytes))
    dataset = replace(original, train_size=4, test_size=2, files=files)
    for place, file in enumerate(files):
        (folder / file.name).write_bytes(changed(bytes(file.size), how if place == number else []))
    found = read_or_refuse(name, lambda: read(dataset, folder), folder / files[number].name)
    if found is not None:
        assert found.train_inputs.shape == (4, 32, 32, 3)
        assert max(found.train_targets.max(), found.test_targets.max()) < original.classes


def images() -> dict[str, bytes]:
    """A small image in each format, and kinds of pixels that differ."""
    found = {}
    for suffix, mode in (("png", "RGB"), ("png", "P"), ("png", "I;16"), ("jpg", "RGB"), ("gif", "P"), ("bmp", "RGB")):
        buffer = io.BytesIO()
        pixels = Image.effect_noise((6, 5), 90).convert("L")
        image = pixels.convert("I").convert("I;16") if mode == "I;16" else pixels.convert(mode)
        image.save(buffer, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
        found[f"{mode[0]}.{suffix}"] = buffer.getvalue()
    return found


DRAWN = images()
HUGE = 60_000  # pixels along each side
OTHER_FORMATS = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    "netpbm": b"P5 60000 60000 255\n",
    "tiff": b"II*\x00\x08\x00\x00\x00",
    "bmp": b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + 2 * HUGE.to_bytes(4, "little") + b"\1\0\x18\0" + bytes(24),
    "gif": b"GIF89a" + 2 * HUGE.to_bytes(2, "little") + b"\x80\0\0" + bytes(6) + b"\x2c" + bytes(4) + 2 * b"\x60\xea",
}


@fuzz(0.03)
@given(st.sampled_from(sorted(DRAWN)), byte_changes | st.sampled_from(sorted(OTHER_FORMATS)).map(OTHER_FORMATS.get))
def test_images_are_read_or_refused(folder, name, how):
    path = folder / f"odd-{name}"
    path.write_bytes(changed(DRAWN[name], how))
    found = read_or_refuse("silhouettes", lambda: _read_image(path, (20, 20, 3)), path)
    assert found is None or (found.shape, found.dtype) == ((20, 20, 3), np.uint8)


def tar(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            packed.addfile(member, io.BytesIO(b"12345"))
    return buffer.getvalue()


def with_checksums(data: bytes) -> bytes:
    """The same with headers whose sums are right again: a wrong one would hide what else is wrong."""
    blocks = [data[start : start + 512] for start in range(0, len(data), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar":
            blank = block[:148] + b" " * 8 + block[156:]
            blocks[number] = blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
    return b"".join(blocks)


TARS = [
    tar("a/one.bin", "a/two.bin"),
    tar("one.bin", "a/readme", "two.bin"),
    tar("é" * 90 + "/one.bin", "two.bin"),
]
fields = st.tuples(
    st.sampled_from([b"\x80" + b"\xff" * 11, b"\xff" * 12, b"7" * 12, b"-1", b"x", b"L", b"S", b"\x00"])
    | st.binary(max_size=4),
    st.sampled_from([0, 100, 124, 136, 156, 257, 345, 482]),
    st.integers(0, 5),
)


def change_field(data: bytes, field: tuple[bytes, int, int]) -> bytes:
    piece, place, block = field
    at = min(block * 512, len(data)) + place
    return data[:at] + piece + data[at + len(piece) :]


WANTED = (DataFile("one.bin", 5), DataFile("two.bin", 5))


@fuzz(0.04)
@given(st.integers(0, len(TARS) - 1), fields | byte_changes | st.binary(max_size=600), st.just([]) | byte_changes)
def test_archives_are_read_or_refused(folder, number, how, packed_how):
    path, whole = folder / "odd.tar.gz", TARS[number]
    data = change_field(whole, how) if isinstance(how, tuple) else changed(whole, how)
    path.write_bytes(pack(with_checksums(data), True, packed_how))
    found = read_or_refuse("archives", lambda: dict(archive.members(path, WANTED)), path)
    assert found is None or {file.name: len(content) for file, content in found.items()} == {"one.bin": 5, "two.bin": 5}


@fuzz(0.01)
@given(contents, st.sampled_from(["odd.mat", "odd.tar.gz"]))
def test_what_is_not_the_published_file_is_refused_before_it_is_opened(folder, how, name):
    """SciPy's reader of MATLAB files may crash on damaged ones."""
    whole = bytes(range(256))
    data = changed(whole, how)
    if data == whole:
        return
    (folder / name).write_bytes(data)
    record = Download(name, ("http://127.0.0.1:9/",), len(whole), hashlib.sha256(whole).hexdigest())
    taken = read_or_refuse("published files", lambda: fetching._obtain(record, WANTED, folder, None), folder / name)
    assert taken is None
    assert not (folder / "one.bin").exists()


@fuzz(0.01)
@given(byte_changes)
def test_packed_files_are_unpacked_or_refused(folder, how):
    path = folder / "odd.gz"
    path.write_bytes(change_bytes(gzip.compress(bytes(range(256)) * 20), how))
    read_or_refuse("gzip", lambda: sum(map(len, content_blocks(path))), path)
