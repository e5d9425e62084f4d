"""Turning the published MATLAB files of SVHN into the binary files of DeepOBS."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from regbench.datasets import svhn
from regbench.datasets.dataset import DataFile
from regbench.errors import DataError

RECORD = svhn.DATASET.files[0].download
FILES = (DataFile("data_batch_0.bin", 2 * 3073, None, RECORD), DataFile("data_batch_1.bin", 2 * 3073, None, RECORD))
LABELS = np.array([[10], [1], [9], [10], [4]], np.uint8)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (32, 32, 3, count)).astype(np.uint8)


def matlab_bytes(**variables: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=True)
    return buffer.getvalue()


def convert(folder: Path, content: bytes) -> dict[str, bytes]:
    path = folder / "train_32x32.mat"
    path.write_bytes(content)
    return {file.name: taken for file, taken in svhn.convert(path, FILES)}


def test_records_are_label_and_pixels_with_ten_as_zero(tmp_path: Path) -> None:
    pixels = images(5)
    converted = convert(tmp_path, matlab_bytes(X=pixels, y=LABELS))
    # Written as DeepOBS does: image after image, row by row, the three colours of a pixel together.
    records = [bytes([LABELS[i, 0] % 10]) + np.ascontiguousarray(pixels[..., i]).tobytes() for i in range(5)]
    # The fifth image is beyond the files, as the last 9,257 training images are in DeepOBS.
    assert converted == {"data_batch_0.bin": b"".join(records[:2]), "data_batch_1.bin": b"".join(records[2:4])}
    assert [converted["data_batch_0.bin"][0], converted["data_batch_0.bin"][3073]] == [0, 1]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"X": images(5)}, "must be a MATLAB file with X and y. Received: 'y'"),
        ({"X": images(3), "y": LABELS[:3]}, "n at least 4"),
        ({"X": images(5), "y": LABELS[:4]}, "X must be uint8 of shape"),
        ({"X": images(5).astype(np.float64), "y": LABELS}, "Received: float64"),
        ({"X": images(5)[:31], "y": LABELS}, r"Received: uint8 of shape \(31, 32, 3, 5\)"),
        ({"X": images(5), "y": LABELS + np.uint8(1)}, r"labels must be in 1\.\.10\. Received: 2\.\.11"),
        ({"X": images(5), "y": LABELS - np.uint8(1)}, r"labels must be in 1\.\.10\. Received: 0\.\.9"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, variables: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        convert(tmp_path, matlab_bytes(**variables))


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", bytes(1000), b"MATLAB 7.3" + bytes(2000)])
def test_a_file_that_is_no_matlab_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="must be a MATLAB file"):
        convert(tmp_path, content)


@pytest.mark.parametrize("kept", [130, 200, 3000, -10])
def test_a_cut_matlab_file_is_refused(tmp_path: Path, kept: int) -> None:
    with pytest.raises(DataError, match="must be a MATLAB file"):
        convert(tmp_path, matlab_bytes(X=images(5), y=LABELS)[:kept])


def test_converted_files_are_read_back(tmp_path: Path, small_svhn: Callable) -> None:
    train, test = images(5), images(3)
    published = {
        "train_32x32.mat": matlab_bytes(X=train, y=LABELS),
        "test_32x32.mat": matlab_bytes(X=test, y=LABELS[:3]),
    }
    dataset = small_svhn("http://127.0.0.1:9/", published).dataset
    for name, content in published.items():
        (tmp_path / name).write_bytes(content)
        files = [file for file in dataset.files if file.download.name == name]
        for file, converted in svhn.convert(tmp_path / name, files):
            (tmp_path / file.name).write_bytes(converted)
    data = svhn.read(dataset, tmp_path)
    np.testing.assert_array_equal(data.train_inputs, train.transpose(3, 0, 1, 2)[:4])
    np.testing.assert_array_equal(data.test_inputs, test.transpose(3, 0, 1, 2))
    assert data.train_targets.tolist() == [0, 1, 9, 0]
    assert data.test_targets.tolist() == [0, 1, 9]
