"""A text of one's own, of which the next character is learnt at every place."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from regbench.datasets.own.parts import Part, Reading, gathered
from regbench.errors import DataError
from regbench.records import Book


def read(own: Book) -> Reading:
    """Number the characters and cut the text as DeepOBS does Tolstoi's.

    Characters have the numbers 0, 1, ... in the order of how often they come. The first part of the text trains, the
    next validates, the last tests. In each, a sample is `length` characters, which follow those of the sample before,
    and its targets are the characters that come one later; what remains at the end is dropped.

    Departure: DeepOBS holds the samples of a batch at distant places of the text, so that the state of a network could
    go from batch to batch; here samples are drawn as those of any data.

    Raises:
        DataError: it cannot be read, is not UTF-8, or is too short.
    """
    try:
        text = Path(own.path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{own.path}: must be readable. Received: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{own.path}: must be text in UTF-8. Received: a byte that is none at {error.start}") from error
    counts = Counter(text)
    names = sorted(counts, key=lambda one: (-counts[one], one))
    if len(names) < 2:
        raise DataError(f"{own.path}: must hold at least two different characters. Received: {len(names)}")
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    known, places = np.unique(points, return_inverse=True)
    number = np.array([names.index(chr(point)) for point in known], np.int32)
    tokens = number[places]
    test = int(np.ceil((1 - own.test_fraction) * len(tokens)))
    train = test - round(own.valid_fraction * len(tokens))
    pieces = {"train": tokens[:train], "valid": tokens[train:test], "test": tokens[test:]}
    parts = {split: _cut(piece, own, split) for split, piece in pieces.items()}
    reading = gathered(own.model_copy(update={"targets": "classes"}), parts, own.path)
    # A character may come in no whole sample.
    return replace(reading, dataset=replace(reading.dataset, classes=len(names), class_names=tuple(names)))


def _cut(tokens: np.ndarray, own: Book, split: str) -> Part:
    count = (len(tokens) - 1) // own.length
    if count < 1:
        must = f"must have at least {own.length + 1} characters for {split}, one sequence of `length` and one more"
        raise DataError(f"{own.path}: {must}. Received: {len(tokens)}")
    used = count * own.length
    return Part(tokens[:used].reshape(count, own.length), tokens[1 : used + 1].reshape(count, own.length))
