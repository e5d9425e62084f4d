"""The manifests of the searches in a results tree: one small file for each, beside the runs of its candidate.

`<results>/<testproblem>/<candidate>/<sampler>__<budget>__seed__<seed>__<8 digits of the digest>.search`
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from regbench.errors import ResultsError, printable
from regbench.records import Manifest, digest_of
from regbench.store import paths, targets
from regbench.store.files import UnreadableFileError, read_bytes

MANIFEST_SUFFIX = ".search"  # readers of DeepOBS trees take only folders here, and only files with "json" in the name


def path_of(tree: Path, manifest: Manifest) -> Path:
    """Where the manifest of a search lies."""
    folder = tree / paths.folder_name(manifest.problem) / paths.folder_name(manifest.candidate)
    name = f"{manifest.sampler}__{manifest.budget}__seed__{manifest.seed}__{manifest.digest[:8]}"
    return folder / f"{name}{MANIFEST_SUFFIX}"


def write(tree: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one that is there, unless that is further.

    Two searches that are the same may write at the same time, and one of them may be killed: the place holds a whole
    manifest at any moment, and never a step back.

    Raises:
        ResultsError: it cannot be written; what was there is still there.
    """
    path = path_of(tree, manifest)
    try:
        targets.make_folder(path.parent)
        with _locked(path.parent):
            present = _read_if_whole(path)
            if present is None or (present != manifest and present.progress() <= manifest.progress()):
                targets.replace(path, _as_json(manifest))
    except OSError as error:
        raise ResultsError(f"{path}: the search cannot be recorded here: {error.strerror or error}") from error


def read(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        ResultsError: it cannot be read, or is none.
    """
    try:
        signed = _Signed.model_validate_json(read_bytes(path))
    except UnreadableFileError as error:
        raise ResultsError(f"{printable(str(path))}: it cannot be read: {error.detail}") from error
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its content"
        raise ResultsError(f"{printable(str(path))}: no record of a search: `{where}`: {first['msg']}") from invalid
    manifest = Manifest(**signed.model_dump(exclude={"checksum"}))
    if signed.checksum not in (None, _checksum(manifest)):
        raise ResultsError(f"{printable(str(path))}: no record of a search any more: its checksum differs")
    return manifest


class _Signed(Manifest):
    """A manifest as its file has it, with a checksum of all else; those of earlier versions have none."""

    checksum: str | None = None


def _as_json(manifest: Manifest) -> bytes:
    signed = _Signed(**manifest.model_dump(), checksum=_checksum(manifest))
    return f"{signed.model_dump_json(indent=1)}\n".encode()


def _checksum(manifest: Manifest) -> str:
    return digest_of(manifest.model_dump(mode="json"))


def find(tree: Path) -> Iterator[Path]:
    """The files of all manifests in a tree, at whatever level it is given, sorted."""
    for folder, inner, files in os.walk(tree):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(MANIFEST_SUFFIX))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep out others who write a manifest into this folder; where it cannot be locked nobody is kept out."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_if_whole(path: Path) -> Manifest | None:
    try:
        return read(path)
    except ResultsError:
        return None
