"""Records of data sets: the entry in the registry and the arrays in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

from regbench.records import Augmentation, Preprocessing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Download:
    """One file that is published on the web.

    Attributes:
        name: its file name; the ending tells what is done with it (`.tar.gz`, `.mat`, or `.gz`: taken as it is).
        urls: its addresses, tried in this order; the checksum makes a plain http address safe.
        size: bytes.
        sha256: of the file as it is published.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    sha256: str


@dataclass(frozen=True)
class DataFile:
    """One file of a data set as DeepOBS lays it out; or a folder of files that the user brings.

    Attributes:
        name: file name in the data set's folder. A name that ends in `.gz` also stands for the unpacked file, one that
            ends in `/` for a folder.
        size: bytes of the (unpacked) content; 0 where it may be any.
        sha256: of the (unpacked) content; None where nobody publishes it.
        download: where it comes from; None where the user brings it.
    """

    name: str
    size: int = 0
    sha256: str | None = None
    download: Download | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set, as plain data.

    Attributes:
        name: what problems call it.
        summary: one line.
        source: citation.
        classes: number of classes, 0 where there are no labels.
        input_shape: of one sample as the network takes it; images are (height, width, channels).
        train_size: training samples, those to be held out for validation included; 0 where the user brings them.
        test_size: test samples.
        validation_size: samples for validation. Where `RawData` brings no validation split of its own they are to be
            held out of the training samples: the first ones in file order, as DeepOBS 1.2 does for MNIST.
        preprocessing: what the engine does to every input: nothing, division by 255, or standardization per image.
        augmentation: what the engine does to training inputs, named after the data for which it was published.
        folder: of the files, below the data folder; empty where the data are generated or come with a library, or all
            lie in the one folder that `files` names.
        files: the files in the order in which they are read.
        target_shape: of one target: () for a class or a number, (k,) for several numbers, (length,) for tokens,
            (0,) where there are none.
        train_files: over how many files of equal length the training samples are spread.
        class_names: what the classes of the user's own data are called there; empty where they are not named.
    """

    name: str
    summary: str
    source: str
    classes: int
    input_shape: tuple[int, ...]
    train_size: int
    test_size: int
    validation_size: int
    preprocessing: Preprocessing
    augmentation: Augmentation
    folder: str = ""
    files: tuple[DataFile, ...] = ()
    train_files: int = 1
    target_shape: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set in memory, as stored: nothing scaled, shuffled or split yet.

    Inputs are uint8 images of shape (n, height, width, channels), float32, or int32 tokens of shape (n, length).
    Targets are int32 classes (n,) or tokens (n, length), float32 numbers (n,) or (n, k), or empty float32 of shape
    (n, 0) where there are none. `train_weights`, float32 (n,), say how much the loss of each training sample counts;
    None for all alike. The validation arrays are None where the split comes out of the training samples.
    """

    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    validation_inputs: np.ndarray | None = None
    validation_targets: np.ndarray | None = None
    train_weights: np.ndarray | None = None

    @cached_property
    def digest(self) -> str:
        """Return "sha256:..." over name, type, shape and bytes of all arrays: equal digests mean equal data."""
        checksum = hashlib.sha256()
        for field in fields(self):
            array = getattr(self, field.name)
            if array is None:
                continue
            # Little-endian and in C order: the digest is the same on every machine, and the usual ones copy nothing.
            array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            checksum.update(f"{field.name} {array.dtype.str} {array.shape}\n".encode())
            checksum.update(array)
        return f"sha256:{checksum.hexdigest()}"
