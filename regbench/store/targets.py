"""Files and folders that appear whole or not at all, and are on the disk when that is told."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from regbench.errors import ResultsError, printable

_CANNOT_SYNC_FOLDERS = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)
_NO_HARD_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL)


def beside(path: Path, ending: str) -> Path:
    """The path with another ending, so that a file and its companion lie side by side."""
    return path.parent / f"{path.stem}{ending}"


def check(files: Iterable[Path], folders: Iterable[Path], tree: str | Path) -> None:
    """Make sure before anything is written that everything can be, making folders above it where they are missing.

    Args:
        files: must not exist.
        folders: must not exist or be empty.
        tree: what is read; nothing may lie in it.

    Raises:
        ResultsError: a path exists, stands twice, lies in the tree or in one of the folders, or cannot be written.
    """
    seen: set[Path] = set()
    folders = list(folders)
    for path in [*files, *folders]:
        real = Path(os.path.realpath(path))
        if real in seen:
            raise ResultsError(f"{path}: it is to be written twice; every option needs a path of its own")
        seen.add(real)
        for folder in folders:
            if folder != path and real.is_relative_to(os.path.realpath(folder)):
                raise ResultsError(f"{path}: it must not lie in {folder}, which is to be written too")
        if real.is_relative_to(os.path.realpath(tree)):
            raise ResultsError(f"{path}: it must not lie in the results tree, which is not touched")
        try:
            if os.path.lexists(path) and not (path in folders and is_empty_folder(path)):
                raise ResultsError(f"{path}: it exists already, and nothing is overwritten")
            make_folder(path.parent)
            temporary = _temporary(path)
            temporary.touch(exist_ok=False)
            temporary.unlink()
        except OSError as error:
            raise _refusal(path, error) from error


@contextmanager
def new_files(*paths: Path) -> Iterator[list[Path]]:
    """Where to write each; what is there at the end, if all went well, gets the names `paths`: all of them, or none.

    Raises:
        ResultsError: there is a file of such a name, or it cannot be written.
    """
    temporaries = [_temporary(path) for path in paths]
    published: list[Path] = []
    path = paths[0]
    try:
        yield temporaries
        for temporary in temporaries:
            _sync(temporary)
        for temporary, path in zip(temporaries, paths, strict=True):
            publish(temporary, path)
            published.append(path)
            temporary.unlink(missing_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        for one in published:
            one.unlink(missing_ok=True)
        raise _refusal(path, error) from error
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Where to write; the folder gets the name `path` at the end, if all went well.

    Raises:
        ResultsError: there is something of that name other than an empty folder, or it cannot be written.
    """
    temporary = _temporary(path)
    try:
        make_folder(temporary)
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder, name))
            sync_folder(Path(folder))
        temporary.replace(path)
        try:
            sync_folder(path.parent)
        except OSError:
            path.replace(temporary)
            raise
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a whole file its name, which no other file may have.

    Raises:
        FileExistsError: another file has the name.
    """
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _publish_by_renaming(temporary, path)


def replace(path: Path, data: bytes) -> None:
    """Write a whole file in the place of the one that is there, if any; it is on the disk when this returns.

    Folders above it are made where they are missing.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    make_folder(path.parent)
    temporary = write_temporary(path.parent, data)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_temporary(folder: Path, data: bytes) -> Path:
    """Write a file under a name of its own; it is on the disk when this returns."""
    path = _temporary(folder / "any")
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    return path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; they are on the disk when this returns."""
    if folder.is_dir():
        return
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a loss of power, where the file system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise


def _publish_by_renaming(temporary: Path, path: Path) -> None:
    # A rename overwrites in silence, so the name is first reserved among all who write into this folder.
    reservation = path.with_suffix(".lock")
    reservation.touch(exist_ok=False)
    try:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        temporary.replace(path)
    finally:
        reservation.unlink()


def _temporary(path: Path) -> Path:
    return path.parent / f".{secrets.token_hex(8)}.tmp"


def is_empty_folder(path: Path) -> bool:
    """Whether it is a folder, not a link to one, and nothing is in it."""
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _refusal(path: Path, error: OSError) -> ResultsError:
    return ResultsError(f"{printable(str(path))}: it cannot be written here: {error.strerror or error}")
