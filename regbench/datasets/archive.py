"""Taking the wanted files out of a published archive."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from regbench.datasets.dataset import DataFile
from regbench.errors import DataError


def members(archive: Path, files: Sequence[DataFile]) -> Iterator[tuple[DataFile, bytes]]:
    """Yield the content of the wanted files of a packed tar archive.

    Nothing is unpacked to a path of the archive's choosing, and all members are looked at before the first one is read.

    Args:
        archive: the `.tar.gz` file.
        files: wanted; the archive may hold them in any folder.

    Raises:
        DataError: the archive is damaged, lacks a file, holds it twice or with another size, or has a member that an
            honest archive of data does not have: an absolute path, a path upwards, a link, a device.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            wanted = _wanted_members(archive, tar, files)
            for file in files:
                stream = tar.extractfile(wanted[file.name])
                yield file, stream.read() if stream else b""
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, OverflowError, ValueError) as error:
        raise DataError(f"{archive}: must be a whole .tar.gz archive. Received: {error}") from error


def _wanted_members(archive: Path, tar: tarfile.TarFile, files: Sequence[DataFile]) -> dict[str, tarfile.TarInfo]:
    sizes = {file.name: file.size for file in files}
    wanted: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
            raise DataError(
                f"{archive}: members must be plain files and folders below the archive's own. Received: {member.name!r}"
            )
        if path.name not in sizes or member.isdir():
            continue
        if path.name in wanted or member.size != sizes[path.name]:
            raise DataError(
                f"{archive}: must hold `{path.name}` once, with {sizes[path.name]} bytes. "
                f"Received: {member.name!r} with {member.size} bytes"
            )
        wanted[path.name] = member
    if wanted.keys() != sizes.keys():
        raise DataError(f"{archive}: must hold {', '.join(sizes)}. Received: {', '.join(wanted) or 'none of them'}")
    return wanted
