"""The text of tolstoi: files that DeepOBS's script makes, cut into pieces."""

from pathlib import Path

import numpy as np
import pytest

from regbench import datasets
from regbench.errors import DataError


def write(folder: Path, train: np.ndarray, test: np.ndarray) -> Path:
    (folder / "tolstoi").mkdir(exist_ok=True)
    np.save(folder / "tolstoi" / "train.npy", train)
    np.save(folder / "tolstoi" / "test.npy", test)
    return folder


def test_pieces_follow_each_other_and_targets_are_a_place_later(tmp_path: Path) -> None:
    text = np.random.default_rng(0).integers(83, size=200)
    data = datasets.load("tolstoi", write(tmp_path, text, text[:101]))
    # 199 characters have a next one: three pieces and 49 characters that are left out, as DeepOBS has it.
    np.testing.assert_array_equal(data.train_inputs, text[:150].reshape(3, 50))
    np.testing.assert_array_equal(data.train_targets, text[1:151].reshape(3, 50))
    np.testing.assert_array_equal(data.test_inputs, text[:100].reshape(2, 50))
    np.testing.assert_array_equal(data.test_targets, text[1:101].reshape(2, 50))
    assert (data.train_inputs.dtype, data.train_targets.dtype) == (np.uint8, np.int32)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (np.zeros(50, int), r"train\.npy: must hold at least 51 characters. Received: 50"),
        (np.full(60, 83), r"train\.npy: characters must be in 0\.\.82\. Received: 83\.\.83"),
        (np.full(60, -1), r"Received: -1\.\.-1"),
        (np.zeros(60), r"train\.npy: must hold whole numbers, one axis. Received: float64 of shape \(60,\)"),
        (np.zeros((2, 60), int), r"Received: int64 of shape \(2, 60\)"),
        (np.array([{}], object), r"train\.npy: must be a \.npy file. Received: Object arrays"),
    ],
)
def test_what_is_no_such_text_is_told(tmp_path: Path, text: np.ndarray, message: str) -> None:
    write(tmp_path, text, np.zeros(60, int))
    with pytest.raises(DataError, match=message):
        datasets.load("tolstoi", tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_file_that_is_no_array_is_told(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, np.zeros(60, int), np.zeros(60, int))
    (tmp_path / "tolstoi" / "test.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"test\.npy: must be a \.npy file"):
        datasets.load("tolstoi", tmp_path)
