"""Small data sets in the real formats, and a web server that can misbehave."""

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regbench.datasets import cifar10, mnist, registry, svhn
from regbench.datasets.dataset import DataFile, Dataset, Download
from regbench.records import Table


def _idx_bytes(values: np.ndarray) -> bytes:
    """Write an idx file of unsigned bytes: 2049 for one dimension, 2051 for three."""
    header = np.array([2048 + values.ndim, *values.shape], ">u4")
    return header.tobytes() + values.astype(np.uint8).tobytes()


def _record_bytes(labels: np.ndarray, images: np.ndarray) -> bytes:
    """Write CIFAR records: label byte, then the red, the green and the blue values."""
    records = [bytes([label]) + image.transpose(2, 0, 1).tobytes() for label, image in zip(labels, images, strict=True)]
    return b"".join(records)


def _tar_bytes(contents: dict[str, bytes], strange: tarfile.TarInfo | None = None) -> bytes:
    """Pack files into a .tar.gz; `strange` is a member without content that comes last."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if strange is not None:
            tar.addfile(strange)
    return buffer.getvalue()


@pytest.fixture
def tar_bytes() -> Callable[..., bytes]:
    """Return the function that packs files into a .tar.gz."""
    return _tar_bytes


@dataclass
class Server:
    """A local web server.

    `answers` says how many bytes of the body each of the next requests gets before the connection is cut;
    when it is used up, every request gets all.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    hangs: bool = False

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one GET request."""
        name, wanted = request.path.lstrip("/"), request.headers.get("Range")
        self.requests.append((name, wanted))
        if self.hangs:
            self.released.wait()
            return
        if name not in self.files:
            request.send_error(404)
            return
        content = self.files[name]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.knows_ranges else 0
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        request.wfile.write(content[start:][: self.answers.pop(0) if self.answers else None])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server on this machine."""
    # Where a proxy is configured, it must not get these requests.
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.answer(self)

        def log_message(self, *_: object) -> None:
            """Keep the output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        running = Server(f"http://127.0.0.1:{listener.server_port}/")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        listener.shutdown()
        thread.join()


@dataclass(frozen=True)
class Small:
    """A small data set, registered in place of the real one.

    Attributes:
        dataset: its record; all downloads point to the server.
        contents: the (unpacked) content of its files.
        published: what the server has to offer.
    """

    dataset: Dataset
    contents: dict[str, bytes]
    published: dict[str, bytes]


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Small]:
    """Return a function: server address -> MNIST with 6 training and 4 test images."""

    def build(address: str = "http://127.0.0.1:9/") -> Small:
        generator = np.random.default_rng(0)
        values = {
            "train-images-idx3-ubyte.gz": generator.integers(0, 256, (6, 28, 28)),
            "train-labels-idx1-ubyte.gz": np.arange(6),
            "t10k-images-idx3-ubyte.gz": generator.integers(0, 256, (4, 28, 28)),
            "t10k-labels-idx1-ubyte.gz": np.arange(4),
        }
        contents = {name: _idx_bytes(array) for name, array in values.items()}
        published = {name: gzip.compress(content, mtime=0) for name, content in contents.items()}
        files = tuple(
            DataFile(name, len(content), _sha256(content), _download(name, published[name], address))
            for name, content in contents.items()
        )
        dataset = replace(mnist.DATASET, train_size=6, test_size=4, files=files)
        monkeypatch.setitem(registry._READERS, "mnist", (dataset, mnist.read))
        return Small(dataset, contents, published)

    return build


@pytest.fixture
def small_cifar10(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Small]:
    """Return a function: server address, archive -> CIFAR-10 with two training files of 3 images, and 2 test images.

    The archive is the honest one unless another one is given, which then counts as the published one.
    """

    def build(address: str = "http://127.0.0.1:9/", archive: bytes | None = None) -> Small:
        generator = np.random.default_rng(0)
        contents = {
            name: _record_bytes(np.arange(count), generator.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8))
            for name, count in (("data_batch_1.bin", 3), ("data_batch_2.bin", 3), ("test_batch.bin", 2))
        }
        inside = {f"cifar-10-batches-bin/{name}": content for name, content in contents.items()}
        packed = archive or _tar_bytes({"cifar-10-batches-bin/readme.html": b"<html>"} | inside)
        name = "cifar-10-binary.tar.gz"
        record = _download(name, packed, address)
        files = tuple(DataFile(file, len(content), _sha256(content), record) for file, content in contents.items())
        dataset = replace(cifar10.DATASET, train_size=6, test_size=2, files=files)
        monkeypatch.setitem(registry._READERS, "cifar10", (dataset, cifar10.read))
        return Small(dataset, contents, {name: packed})

    return build


@pytest.fixture
def small_svhn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Small]:
    """Return a function: server address, published files -> SVHN with two files of 2 images, and 3 test images."""

    def build(address: str, published: dict[str, bytes]) -> Small:
        train, test = (_download(name, content, address) for name, content in published.items())
        files = (
            DataFile("data_batch_0.bin", 2 * 3073, None, train),
            DataFile("data_batch_1.bin", 2 * 3073, None, train),
            DataFile("test_batch.bin", 3 * 3073, None, test),
        )
        dataset = replace(svhn.DATASET, train_size=4, test_size=3, files=files)
        monkeypatch.setitem(registry._READERS, "svhn", (dataset, svhn.read))
        return Small(dataset, {}, published)

    return build


def _download(name: str, content: bytes, address: str) -> Download:
    return Download(name, (address + name,), len(content), _sha256(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TREES = 200


@pytest.fixture
def frame() -> pd.DataFrame:
    """A table with a column of each kind."""
    generator = np.random.default_rng(3)
    kinds = generator.choice(["oak", "elm", "fir"], TREES)
    size = generator.normal(100, 5, TREES)
    return pd.DataFrame(
        {
            "size": size,
            "kind": kinds,
            "old": generator.random(TREES) < 0.5,
            "farm": np.arange(TREES) // 10,
            "day": [f"2026-01-{1 + number % 25:02}" for number in range(TREES)],
            "count": generator.integers(0, 9, TREES),
            "price": size * 3 + generator.normal(size=TREES),
            "sold": np.where(size > 100, "yes", "no"),
        }
    )


@pytest.fixture
def table(frame: pd.DataFrame, tmp_path: Path) -> Callable[..., Table]:
    """Writes the table, and says how it is read."""

    def make(suffix: str = ".csv", **others: Any) -> Table:
        path = tmp_path / f"trees{suffix}"
        frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
        return Table(**{"name": "table", "path": str(path), "target": "sold", **others})

    return make
