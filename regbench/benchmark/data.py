"""Which data are here: no spec of a run tells, and they may change under the same name."""

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import psutil

from regbench import datasets
from regbench.errors import DataError
from regbench.records import OwnData

_GIB = 2**30


def digest_here(dataset: str | OwnData, data_dir: Path | None = None) -> str | None:
    """The digest of a data set as it is here (`RawData.digest`); None where it cannot be read.

    It is read once in a process, and again where its files have changed.
    """
    try:
        return _digest(dataset, data_dir, datasets.stamp(dataset, data_dir))
    except DataError:
        return None


@lru_cache(maxsize=16)
def _digest(dataset: str | OwnData, data_dir: Path | None, stamp: object) -> str:
    del stamp  # tells one state of the files from another
    return datasets.load(dataset, data_dir).digest


def tell_memory(dataset: str | OwnData, warn: Callable[[str], None] | None) -> None:
    """Warn of data that take more than half of the memory at hand; they are held twice while they are trained on.

    Not of imagenet, whose record knows neither how many images are here nor their stored size: its reader tells.
    """
    if dataset == "imagenet":
        return
    record = datasets.get(dataset)
    samples = record.train_size + record.test_size + record.validation_size
    bytes_each = math.prod(record.input_shape) * (4 if record.preprocessing == "none" else 1)
    free = psutil.virtual_memory().available
    if warn is not None and samples * bytes_each > free / 2:
        needed = 2 * samples * bytes_each
        warn(f"{dataset}: training on these data needs about {needed / _GIB:.1f} GiB; {free / _GIB:.1f} GiB are free")
