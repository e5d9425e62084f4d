"""Bringing a published file to the disk: resumed where it was cut off, and checked."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from regbench.datasets.content import file_sha256
from regbench.datasets.dataset import Download
from regbench.errors import DataError

TIMEOUT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 18

Progress = Callable[[str, int, int], None]
"""Called with the file name, the bytes that are there, and the bytes that the file has."""


def download(record: Download, part: Path, progress: Progress | None = None) -> None:
    """Fill `part` with a published file; what is in it already is taken as its beginning.

    Args:
        record: what is published where.
        part: stays there, partly filled, when the transfer fails, so that the next call goes on.
        progress: called after every block.

    Raises:
        DataError: no address gave the file, or the file is not the published one; then `part` is removed.
    """
    failures = []
    for url in record.urls:
        failure = _complete(url, record, part, progress)
        if not failure:
            break
        failures.append(f"{url} ({failure})")
    else:
        raise DataError(
            f"`{record.name}` could not be downloaded from {' or '.join(failures)}. Run the same command again to go "
            f"on where it ended, or place the file into {part.parent} by hand and run it then"
        )
    received = file_sha256(part)
    if received != record.sha256:
        part.unlink()
        raise DataError(
            f"{url}: the SHA-256 of the file must be {record.sha256}. Received: {received}. Nothing was kept"
        )


def _complete(url: str, record: Download, part: Path, progress: Progress | None) -> str:
    """Transfer from one address until the file is whole or nothing more comes; return what failed, or ""."""
    while (present := _size(part)) < record.size:
        try:
            _transfer(url, record, part, progress)
            failure = "the connection ended early"
        except (OSError, http.client.HTTPException) as error:
            failure = _reason(error)
        # As long as every connection brings something, it is worth another one.
        if _size(part) <= present:
            return failure
    return ""


def _transfer(url: str, record: Download, part: Path, progress: Progress | None) -> None:
    present = _size(part)
    headers = {"User-Agent": "regbench"} | ({"Range": f"bytes={present}-"} if present else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the addresses stand in our own records)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        # A server that knows no ranges answers 200 with the whole file.
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        announced = response.headers.get("Content-Range" if resumed else "Content-Length")
        expected = f"bytes {present}-{record.size - 1}/{record.size}" if resumed else str(record.size)
        # An error page must not become the beginning of the file.
        if announced not in (expected, None):
            raise OSError(f"the server must announce {expected}. Received: {announced!r}")
        with part.open("ab" if resumed else "wb") as stream:
            _copy(response, stream, record, progress)


def _copy(response: http.client.HTTPResponse, stream: IO[bytes], record: Download, progress: Progress | None) -> None:
    present = stream.tell()
    while block := response.read(min(_BLOCK_BYTES, record.size - present)):
        stream.write(block)
        present += len(block)
        if progress:
            progress(record.name, present, record.size)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(reason).split()) or type(error).__name__
