"""Reading files whole, and what is known about their content without understanding it."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from regbench.errors import DataError

_BLOCK_BYTES = 1 << 20


def read_content(path: Path, limit: int) -> bytes:
    """Return the content of a file, unpacked where its name ends in `.gz`.

    Args:
        path: of the file.
        limit: bytes after which reading ends, so that a wrong file cannot fill the memory; a block more may come.

    Raises:
        DataError: the file cannot be read, or is damaged as a gzip file.
    """
    blocks = []
    size = 0
    for block in content_blocks(path):
        blocks.append(block)
        size += len(block)
        if size > limit:
            break
    return b"".join(blocks)


def content_blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in blocks, unpacked where its name ends in `.gz`.

    Raises:
        DataError: the file cannot be read, or is damaged as a gzip file.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: must be a whole gzip file. Received: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: must be readable. Received: {error.strerror or error}") from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as it lies on the disk.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: must be readable. Received: {error.strerror or error}") from error
