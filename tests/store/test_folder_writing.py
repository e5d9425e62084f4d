"""Writing into a results tree: whole files or none, and never over another."""

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from regbench.errors import ResultsError
from regbench.records import RunResult, RunSpec
from regbench.store import deepobs, paths, targets
from regbench.store.folder import Folder

MakeSpec = Callable[..., RunSpec]
MakeResult = Callable[..., RunResult]
REPOSITORY = Path(__file__).resolve().parents[2]


def _files(path: Path) -> list[Path]:
    return sorted(child for child in path.rglob("*") if child.is_file())


def test_timestamp_is_the_local_time_of_writing(tmp_path: Path, make_stored_result: MakeResult) -> None:
    before = datetime.now().replace(microsecond=0)
    name = Folder(tmp_path).write(make_stored_result()).stem
    written = datetime.strptime(name.removeprefix("random_seed__42__"), "%Y-%m-%d-%H-%M-%S")
    assert before <= written <= datetime.now()


def test_runs_of_the_same_second_do_not_overwrite_each_other(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path)
    written = [results.write(make_stored_result(reason=str(count))) for count in range(3)]
    assert len(set(written)) == 3
    assert _files(tmp_path) == written
    assert results.find(make_stored_result().spec).reason == "2"
    assert [result.reason for result in results.runs()] == ["0", "1", "2"]


def test_runs_do_not_overwrite_each_other_where_there_are_no_hard_links(
    tmp_path: Path, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    results = Folder(tmp_path)
    written = [results.write(make_stored_result(reason=str(count))) for count in range(3)]
    assert len(set(written)) == 3
    assert _files(tmp_path) == written
    assert results.find(make_stored_result().spec).reason == "2"


def test_a_second_reserved_by_another_process_is_left_to_it(
    tmp_path: Path, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    result = make_stored_result()
    setting = tmp_path / paths.run_folder(result.spec)
    setting.mkdir(parents=True)
    now = datetime.now()
    taken = [setting / paths.run_name(42, now + timedelta(seconds=second), ".lock") for second in range(-1, 60)]
    for path in taken:
        path.touch()
    path = Folder(tmp_path).write(result)
    assert path.with_suffix(".lock") not in taken
    assert _files(tmp_path) == sorted([*taken, path])


def test_check_writable_creates_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    Folder(tmp_path / "a" / "results").check_writable()
    assert list((tmp_path / "a" / "results").iterdir()) == []


def test_check_writable_refuses_a_file(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.touch()
    for path in (file, file / "below"):
        with pytest.raises(ResultsError, match=rf"{re.escape(str(path))}: .* must be a folder .* Received: a file"):
            Folder(path).check_writable()
    assert list(Folder(file).runs()) == []


def test_check_writable_refuses_a_folder_without_permission(unprivileged_folder: Path) -> None:
    unprivileged_folder.chmod(0o500)
    for path in (unprivileged_folder, unprivileged_folder / "new"):
        with pytest.raises(ResultsError, match=rf"{re.escape(str(path))}: .* written to. Received: Permission denied"):
            Folder(path).check_writable()
    assert list(unprivileged_folder.iterdir()) == []


def test_permission_lost_between_two_runs_is_an_error_that_names_the_folder(
    unprivileged_folder: Path, make_stored_result: MakeResult
) -> None:
    results = Folder(unprivileged_folder)
    path = results.write(make_stored_result())
    path.parent.chmod(0o500)
    with pytest.raises(ResultsError, match=rf"{re.escape(str(path.parent))}: .* Permission denied"):
        results.write(make_stored_result())
    assert _files(unprivileged_folder) == [path]


def test_a_disk_that_takes_half_of_a_file_leaves_nothing_behind(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path)
    first = results.write(make_stored_result())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(first.read_bytes()) // 2, hard))
    try:
        with pytest.raises(ResultsError, match=rf"{re.escape(str(first.parent))}: .* File too large"):
            results.write(make_stored_result())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _files(tmp_path) == [first]


def test_an_interruption_while_writing_leaves_nothing_behind(
    tmp_path: Path, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Folder(tmp_path).write(make_stored_result())
    assert _files(tmp_path) == []


def test_file_and_folder_reach_the_disk_before_and_after_the_name_is_given(
    tmp_path: Path, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112
        seen.append((kind, len(list(tmp_path.rglob("*.json")))))
        fsync(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("only /proc tells what a descriptor stands for")
    monkeypatch.setattr(os, "fsync", record)
    Folder(tmp_path).write(make_stored_result())
    # Before the file, the folder above each of the three that are new.
    assert seen == [("folder", 0)] * 3 + [("file", 0), ("folder", 1)]


def test_a_file_system_that_cannot_sync_folders_is_no_error(
    tmp_path: Path, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(targets.os, "open", refuse)
    assert Folder(tmp_path).write(make_stored_result()).exists()


WRITE_TEN = """
import sys
from regbench.store import deepobs
from regbench.store.folder import Folder
result = deepobs.read(sys.stdin.buffer.read())
for _ in range(10):
    Folder(sys.argv[1]).write(result)
"""


def test_two_processes_write_the_same_run_at_once_without_losing_one(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    data = deepobs.write_json(make_stored_result(make_stored_spec(epochs=1)))
    command = [sys.executable, "-c", WRITE_TEN, str(tmp_path)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=REPOSITORY) for _ in range(2)]
    for writer in writers:
        writer.stdin.write(data)
    for writer in writers:
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0]
    results = Folder(tmp_path)
    assert len(list(results.runs())) == 20
    assert results.warnings == []
    assert len(_files(tmp_path)) == 20
