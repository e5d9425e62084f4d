"""Which data are here: no spec of a run tells, and they may change under the same name."""

from functools import lru_cache
from pathlib import Path

from regbench import datasets
from regbench.errors import DataError
from regbench.records import OwnData


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
