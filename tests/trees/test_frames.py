"""The frames: their columns and types, at every level of a tree, and what `merge` makes of several."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regbench.errors import ResultsError
from regbench.records import RunResult, RunSpec
from regbench.store.folder import Folder
from regbench.trees import frames

Write = Callable[..., Path]


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def documented(columns: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {name: dtype for name, (dtype, _) in columns.items()}


@pytest.mark.parametrize("is_empty", [True, False])
def test_frames_have_the_documented_columns_and_types(write_foreign: Write, tree: Path, is_empty: bool) -> None:
    if not is_empty:
        write_foreign(valid_losses=..., valid_accuracies=...)
    results = frames.load(tree)
    assert len(results.runs) == (0 if is_empty else 1)
    assert types(results.runs) == documented(frames.RUNS)
    assert types(results.irregularities) == documented(frames.IRREGULARITIES)
    assert types(results.curves()) == documented(frames.CURVES)


def test_a_run_is_a_row(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="a/b", valid_losses=..., valid_accuracies=...)
    (row,) = frames.load(tree).runs.to_dict("records")
    assert row["file"] == "a/b/random_seed__42__2020-01-02-03-04-05.json"
    assert row["source"] == str(tree)
    assert row["moment"] == pd.Timestamp(2020, 1, 2, 3, 4, 5)
    assert row["final_test_accuracy"] == 0.91
    assert row["best_test_loss"] == 0.6
    assert np.isnan(row["final_valid_loss"])
    assert np.isnan(row["diverged_epoch"])
    assert (row["outcome"], row["superseded"], row["irregular"]) == ("completed", False, "no_validation")


def test_a_file_without_a_moment_has_none(write_foreign: Write, tree: Path) -> None:
    write_foreign(moment="some-day")
    assert frames.load(tree).runs["moment"].isna().all()


def test_a_tree_is_read_at_every_level(write_foreign: Write, tree: Path) -> None:
    path = write_foreign(folder="results/fmnist_2c2d/MomentumOptimizer/setting")
    for level in (tree, *reversed(path.parents[:4]), path):
        results = frames.load(level)
        assert list(results.runs["seed"]) == [42]
        assert len(results.irregularities) == 0
        assert len(results.curves()) == 30


def test_a_path_that_is_no_tree_is_an_error_on_one_line(tmp_path: Path) -> None:
    message = f"{tmp_path}/none: it cannot be read as results: No such file or directory"
    with pytest.raises(ResultsError, match=re.escape(message)):
        frames.load(tmp_path / "none")
    with pytest.raises(ResultsError, match="it is no path"):
        frames.load("a\0b")


def test_curves_have_a_row_an_evaluation(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="a")
    write_foreign(folder="b", random_seed=43, test_losses=[2.5, 1.2, 0.7, 0.6, 0.75])
    curves = frames.load(tree).curves()
    assert len(curves) == 2 * 6 * 5
    one = curves[(curves["run"] == 1) & (curves["metric"] == "test_loss")]
    assert list(one["epoch"]) == [0, 1, 2, 3, 4]
    assert list(one["value"]) == [2.5, 1.2, 0.7, 0.6, 0.75]


def test_only_the_files_of_the_runs_that_are_asked_for_are_read(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="a")
    gone = write_foreign(folder="b")
    results = frames.load(tree)
    gone.unlink()
    assert set(results.curves([0])["run"]) == {0}
    assert set(results.curves(results.runs.loc[results.runs["run"] == 0, "run"])["run"]) == {0}
    with pytest.raises(ResultsError, match="its curves cannot be read any more: No such file or directory"):
        results.curves()


def test_curves_end_with_the_final_values(write_foreign: Write, tree: Path) -> None:
    write_foreign(train_losses=[3, 2, 1, 0.5, 0.25, 0.125])  # one more than promised
    results = frames.load(tree)
    ends = results.curves().groupby("metric", observed=True)["value"].last()
    for metric, value in ends.items():
        assert results.runs[f"final_{metric}"].item() == value


def test_losses_of_ours_are_those_without_the_penalty(
    tmp_path: Path, make_stored_spec: Callable[..., RunSpec], make_stored_result: Callable[..., RunResult]
) -> None:
    result = make_stored_result(
        make_stored_spec(epochs=1),
        curves={"train_losses": [9.0, 8.0], "test_losses": [9.0, 8.0]},
        losses_without_penalty={"train_losses": [2.0, 1.0], "test_losses": [2.0, 1.5]},
    )
    Folder(tmp_path).write(result)
    results = frames.load(tmp_path)
    assert results.runs["final_test_loss"].item() == 1.5
    assert list(results.curves()["value"]) == [2.0, 1.0, 2.0, 1.5]
    assert results.runs["digest"].item() == result.spec.digest()


def test_a_failed_run_of_ours_is_noted(tmp_path: Path, make_stored_spec: Callable[..., RunSpec]) -> None:
    Folder(tmp_path).record_failure(make_stored_spec(), "it crashed")
    results = frames.load(tmp_path)
    assert len(results.runs) == 0
    assert list(results.irregularities["kind"]) == ["failed_run"]


def test_merged_results_have_new_numbers_and_keep_their_curves(tmp_path: Path, write_foreign: Write) -> None:
    write_foreign(folder="one/a", test_losses=[4, 3, 2, 1, 0.5])
    write_foreign(folder="one/b", random_seed=43)
    write_foreign(folder="two/a", test_losses=[4, 3, 2, 1, 0.25])
    merged = frames.merge([frames.load(tmp_path / "tree" / name) for name in ("one", "two")])
    assert list(merged.runs["run"]) == [0, 1, 2]
    assert list(merged.runs["superseded"]) == [False, False, False]
    assert merged.runs["source"].nunique() == 2
    curves = merged.curves([2])
    assert list(curves.loc[curves["metric"] == "test_loss", "value"]) == [4, 3, 2, 1, 0.25]
    assert types(merged.runs) == documented(frames.RUNS)


def test_merging_nothing_gives_empty_frames() -> None:
    merged = frames.merge([])
    assert types(merged.runs) == documented(frames.RUNS)
    assert len(merged.irregularities) == 0


def test_sources_that_disagree_on_an_unknown_problem_get_the_accuracy(tmp_path: Path, write_foreign: Write) -> None:
    none = dict.fromkeys(["train_accuracies", "valid_accuracies", "test_accuracies"], ...)
    write_foreign(folder="one", testproblem="mine")
    write_foreign(folder="two", testproblem="mine", **none)
    merged = frames.merge([frames.load(tmp_path / "tree" / name) for name in ("one", "two")])
    assert list(merged.runs["metric"]) == ["accuracy", "accuracy"]
    assert list(merged.runs["goal"]) == ["maximize", "maximize"]


def test_the_source_may_be_named(write_foreign: Write, tree: Path) -> None:
    write_foreign()
    assert frames.load(tree, source="published").runs["source"].item() == "published"


def test_reading_changes_nothing_in_the_tree(write_foreign: Write, tree: Path) -> None:
    path = write_foreign()
    before = path.stat()
    frames.load(tree).curves()
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    assert [found for found in tree.rglob("*") if found.is_file()] == [path]


def test_settings_can_be_read_back(write_foreign: Write, tree: Path) -> None:
    write_foreign(weight_decay=0.5)
    assert json.loads(frames.load(tree).runs["setting"].item())["decay"] == 0.5
