"""A results tree on disk."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regbench.records import Outcome, RunResult, RunSpec
from regbench.store import deepobs, folder, paths
from regbench.store.folder import Folder

MakeSpec = Callable[..., RunSpec]
MakeResult = Callable[..., RunResult]
REPOSITORY = Path(__file__).resolve().parents[2]


def _files(path: Path) -> list[Path]:
    return sorted(child for child in path.rglob("*") if child.is_file())


def test_what_was_written_is_found(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path / "results")
    result = make_stored_result()
    assert results.find(result.spec) is None
    path = results.write(result)
    assert _files(tmp_path) == [path]
    assert path.parent == tmp_path / "results" / paths.run_folder(result.spec)
    assert re.fullmatch(r"random_seed__42__\d{4}(-\d\d){5}\.json", path.name)
    assert results.find(result.spec, minibatch=True) == result
    assert "minibatch_train_losses" not in results.find(result.spec).curves
    assert list(results.runs(minibatch=True)) == [result]
    assert results.warnings == []


def test_find_tells_seeds_settings_and_protocols_apart(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    results = Folder(tmp_path)
    results.write(make_stored_result(make_stored_spec(seed=4)))
    assert results.find(make_stored_spec(seed=42)) is None
    assert results.find(make_stored_spec(seed=4, epochs=5)) is None
    assert results.find(make_stored_spec(seed=4)).spec.seed == 4


def test_a_completed_run_goes_before_one_that_timed_out(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path)
    results.write(make_stored_result(outcome=Outcome.TIMED_OUT, reason="older"))
    results.write(make_stored_result(outcome=Outcome.TIMED_OUT, reason="newer"))
    assert results.find(make_stored_result().spec).reason == "newer"
    results.write(make_stored_result())
    results.write(make_stored_result(outcome=Outcome.TIMED_OUT))
    assert results.find(make_stored_result().spec).outcome == Outcome.COMPLETED


def test_a_diverged_run_is_found(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path)
    results.write(make_stored_result(outcome=Outcome.DIVERGED, diverged_epoch=1, reason="the loss was inf"))
    assert results.find(make_stored_result().spec).outcome == Outcome.DIVERGED


@pytest.mark.parametrize("through_write", [True, False])
def test_a_failed_run_is_noted_and_not_found(
    tmp_path: Path, make_stored_result: MakeResult, through_write: bool
) -> None:
    results = Folder(tmp_path)
    failed = make_stored_result(outcome=Outcome.FAILED, reason="out of memory", curves={})
    path = results.write(failed) if through_write else results.record_failure(failed.spec, failed.reason)
    assert _files(tmp_path) == [path]
    assert path.parent == tmp_path / paths.run_folder(failed.spec)
    assert re.fullmatch(r"random_seed__42__\d{4}(-\d\d){5}\.failed", path.name)
    noted = json.loads(path.read_bytes())["regbench"]
    assert (noted["outcome"], noted["reason"], noted["digest"]) == ("failed", "out of memory", failed.spec.digest())
    assert results.find(failed.spec) is None
    assert list(results.runs()) == []
    assert results.warnings == []


def test_a_failed_run_is_not_found_even_under_the_name_of_a_run(tmp_path: Path, make_stored_result: MakeResult) -> None:
    results = Folder(tmp_path)
    path = results.write(make_stored_result())
    path.write_bytes(deepobs.write_json(make_stored_result(outcome=Outcome.FAILED, reason="out of memory")))
    assert results.find(make_stored_result().spec) is None


def test_damaged_and_foreign_files_are_skipped_with_a_warning_and_kept(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    results = Folder(tmp_path)
    result = make_stored_result()
    good = results.write(result)
    setting = good.parent
    whole = deepobs.write_json(result)
    bad = {
        "random_seed__42__2999-01-01-00-00-00.json": whole[: len(whole) // 2],
        "random_seed__42__2999-01-01-00-00-01.json": b"",
        "random_seed__42__2999-01-01-00-00-02.json": b'{"testproblem": "fmnist_2c2d", "train_losses": [1.0]}',
        "random_seed__42__2999-01-01-00-00-03.json": b"\x00\x05\x16\x07",
        "random_seed__42__2999-01-01-00-00-04.json": deepobs.write_json(make_stored_result(make_stored_spec(seed=43))),
    }
    for name, data in bad.items():
        (setting / name).write_bytes(data)
    (setting / "random_seed__42__2999-01-01-00-00-05.json").mkdir()
    (setting / "random_seed__42__2999-01-01-00-00-06.json").symlink_to("nowhere")
    (setting / ".DS_Store").write_bytes(b"\x00")
    (setting / ".0123456789abcdef.tmp").write_bytes(b"{")
    names = sorted(child.name for child in setting.iterdir())

    assert results.find(result.spec) == deepobs.read(whole, minibatch=False)
    assert len(results.warnings) == 7
    for second, warning in enumerate(reversed(results.warnings)):
        assert warning.startswith(f"{setting / f'random_seed__42__2999-01-01-00-00-0{second}.json'}: skipped: ")
        assert "\n" not in warning
    results.find(result.spec)
    assert len(results.warnings) == 7, "a warning is given once"
    assert sorted(child.name for child in setting.iterdir()) == names


def test_runs_are_all_of_ours_whatever_else_lies_about(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    results = Folder(tmp_path)
    specs = [make_stored_spec(candidate=name, seed=seed) for name in ("adam", "sgd") for seed in (42, 43)]
    for spec in specs:
        results.write(make_stored_result(spec))
    foreign = tmp_path / "quadratic_deep" / "AdamOptimizer" / "num_epochs__100__batch_size__128__lr__1.e+01"
    foreign.mkdir(parents=True)
    (foreign / "random_seed__42__2019-02-13-14-36-15.json").write_text('{"optimizer": "AdamOptimizer"}')
    for place in (tmp_path, tmp_path / "fmnist_2c2d", tmp_path / "fmnist_2c2d" / "adam", foreign):
        (place / ".DS_Store").write_bytes(b"\x00")
    (tmp_path / "summary.json").write_text("{}")
    assert [result.spec for result in results.runs()] == specs
    assert len(results.warnings) == 1
    assert "regbench did not write this file" in results.warnings[0]


def test_find_looks_only_into_the_folder_of_the_setting(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Folder(tmp_path)
    specs = [make_stored_spec(seed=seed, epochs=epochs) for seed in (42, 43) for epochs in (1, 2)]
    for spec in specs:
        results.write(make_stored_result(spec))
    listed, opened = [], []
    list_folder, read_bytes = Path.iterdir, folder.read_bytes
    monkeypatch.setattr(Path, "iterdir", lambda path: (listed.append(path), list_folder(path))[1])
    monkeypatch.setattr(folder, "read_bytes", lambda path: (opened.append(path), read_bytes(path))[1])
    results.find(specs[0])
    assert listed == [tmp_path / paths.run_folder(specs[0])]
    assert len(opened) == 1


def test_a_tree_that_is_not_there_is_empty(tmp_path: Path) -> None:
    results = Folder(tmp_path / "missing")
    assert list(results.runs()) == []
    assert results.warnings == []
    assert not results.path.exists()


def test_folders_and_files_without_permission_are_skipped_with_a_warning(
    unprivileged_folder: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    results = Folder(unprivileged_folder)
    hidden = results.write(make_stored_result(make_stored_spec(candidate="a")))
    closed = results.write(make_stored_result(make_stored_spec(candidate="b")))
    results.write(make_stored_result(make_stored_spec(candidate="c")))
    hidden.chmod(0)
    closed.parent.chmod(0)
    assert [result.spec.candidate for result in results.runs()] == ["c"]
    assert results.find(make_stored_spec(candidate="a")) is None
    assert results.find(make_stored_spec(candidate="b")) is None
    assert sorted(results.warnings) == [
        f"{hidden}: skipped: it cannot be read: Permission denied",
        f"{closed.parent}: skipped: it cannot be listed: Permission denied",
    ]
    closed.parent.chmod(0o700)


def test_a_pipe_in_place_of_a_run_is_not_waited_for(
    tmp_path: Path, make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    results = Folder(tmp_path)
    path = results.write(make_stored_result(make_stored_spec()))
    path.unlink()
    os.mkfifo(path)
    assert results.find(make_stored_spec()) is None
    assert results.warnings == [f"{path}: skipped: it cannot be read: no regular file"]


def test_store_loads_nothing_heavy() -> None:
    code = (
        "import sys, regbench.store.folder;"
        "heavy = {'numpy', 'pandas', 'tensorflow', 'keras', 'optuna', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert run.stdout == "[]\n"
