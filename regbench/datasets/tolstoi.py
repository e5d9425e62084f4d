"""War and Peace as numbers of characters, in pieces of 50: what comes next after each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import DataFile, Dataset, RawData
from regbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_LENGTH = 50

DATASET = Dataset(
    name="tolstoi",
    summary="War and Peace, 83 different characters, in pieces of 50; DeepOBS's script makes the files of any text",
    source="Schneider et al. 2019, DeepOBS, arXiv 1903.05499; the text as in Karpathy 2015, char-rnn",
    classes=83,
    input_shape=(_LENGTH,),
    # Those of DeepOBS's text; another one may have others.
    train_size=52_258,
    test_size=13_064,
    validation_size=13_064,
    preprocessing="none",
    augmentation="none",
    folder="tolstoi",
    files=(DataFile("train.npy"), DataFile("test.npy")),
    target_shape=(_LENGTH,),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the arrays of numbers of characters; inputs are uint8 of shape (n, 50), targets the same text a place later.

    The pieces are those of DeepOBS, which makes batches of them in another order.

    Raises:
        DataError: a file is no array of one axis of whole numbers from 0 to 82, or too short for a piece.
    """
    train, test = (_read_pieces(folder / file.name, dataset.classes) for file in dataset.files)
    return RawData(*train, *test)


def _read_pieces(path: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    try:
        with path.open("rb") as stream:
            text = np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: must be a .npy file. Received: {' '.join(str(error).split())}") from error
    if text.ndim != 1 or text.dtype.kind not in "iu":
        raise DataError(f"{path}: must hold whole numbers, one axis. Received: {text.dtype} of shape {text.shape}")
    if len(text) <= _LENGTH:
        raise DataError(f"{path}: must hold at least {_LENGTH + 1} characters. Received: {len(text)}")
    if text.min() < 0 or text.max() >= classes:
        raise DataError(f"{path}: characters must be in 0..{classes - 1}. Received: {text.min()}..{text.max()}")
    count = (len(text) - 1) // _LENGTH
    inputs, targets = text[: count * _LENGTH], text[1 : count * _LENGTH + 1]
    return inputs.reshape(count, _LENGTH).astype(np.uint8), targets.reshape(count, _LENGTH).astype(np.int32)
