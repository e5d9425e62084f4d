"""TensorFlow's files of records, and the examples in them, without TensorFlow.

A record is its length (8 bytes, little-endian), 4 bytes of checksum, its content, 4 bytes of checksum; checksums are
not looked at. The content is a protocol buffer `tf.train.Example`: a map from names to lists of bytes, floats or
integers.
"""

from collections.abc import Iterator
from pathlib import Path

from regbench.errors import DataError


def count(path: Path) -> int:
    """How many records a file holds, without reading them; errors as for `examples`."""
    return sum(1 for _ in _contents(path, reads=False))


def examples(path: Path) -> Iterator[dict[str, bytes | int]]:
    """Yield the examples of a file: of each of its values the first bytes or integer; floats are left out.

    Raises:
        DataError: the file is no such file.
    """
    for number, content in enumerate(_contents(path, reads=True)):
        try:
            yield _example(content)
        except (IndexError, ValueError) as error:
            raise DataError(f"{path}: record {number} must be a tf.train.Example. Received: {error}") from error


def _contents(path: Path, reads: bool) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        while (start := stream.tell()) < size:
            length = int.from_bytes(stream.read(12)[:8], "little")
            end = start + 16 + length
            if end > size:
                raise DataError(f"{path}: must be a whole file of records. Received: one that ends after {end} bytes")
            yield stream.read(length) if reads else b""
            stream.seek(end)


def _example(content: bytes) -> dict[str, bytes | int]:
    found: dict[str, bytes | int] = {}
    for features in _values(content, 1):
        for entry in _values(_message(features), 1):
            name = _message(next(_values(_message(entry), 1), b"")).decode()
            for feature in _values(_message(entry), 2):
                for value in _first(_message(feature)):
                    found[name] = value
    return found


def _first(feature: bytes) -> Iterator[bytes | int]:
    """The first of a list of bytes (field 1) or of integers (field 3, which may be packed)."""
    for listed in _values(feature, 1):
        yield from list(_values(_message(listed), 1))[:1]
    for listed in _values(feature, 3):
        for value in list(_values(_message(listed), 1))[:1]:
            yield _varint(value, 0)[0] if isinstance(value, bytes) else value


def _message(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"the number {value} where a message belongs")
    return value


def _values(message: bytes, field: int) -> Iterator[bytes | int]:
    """The values of a field of a message, in their order."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                value, place = _varint(message, place)
                if key >> 3 == field:
                    yield value
            case 2:
                length, place = _varint(message, place)
                if place + length > len(message):
                    raise ValueError(f"a value of {length} bytes where {len(message) - place} are left")
                if key >> 3 == field:
                    yield message[place : place + length]
                place += length
            case 1 | 5 as kind:
                place += 8 if kind == 1 else 4
            case kind:
                raise ValueError(f"a value of kind {kind}")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place after it."""
    number, shift = 0, 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
