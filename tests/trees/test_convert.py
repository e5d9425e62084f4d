"""Clean trees: only runs that count, one folder a setting, values as they were; whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from regbench.errors import ResultsError
from regbench.records import Outcome, RunResult, RunSpec
from regbench.store import deepobs
from regbench.store.folder import Folder
from regbench.trees import frames
from regbench.trees.convert import convert
from regbench.trees.lint import lint

Write = Callable[..., Path]
SAME = [
    *("problem", "optimizer", "candidate", "coupling", "decay", "setting", "protocol", "schedule", "epochs"),
    *("batch_size", "seed", "moment", "outcome", "diverged_epoch", "metric", "goal", *frames.VALUES),
    *("loss_has_penalty", "epochs_to_convergence"),
]


def sorted_runs(results: frames.Results) -> pd.DataFrame:
    runs = results.runs[~results.runs["superseded"]]
    return runs[SAME].sort_values(["problem", "candidate", "setting", "seed"], ignore_index=True)


@pytest.fixture
def messy(write_foreign: Write, deepobs_1_1: dict[str, Any], tree: Path) -> Path:
    """A tree of all dialects with most of what is irregular."""
    rates = [{"learning_rate": rate, "clip": float("inf")} for rate in (0.00039810717055349735, 0.00039810717055)]
    write_foreign(folder="a", optimizer_hyperparams=rates[0])
    write_foreign(folder="b", random_seed=43, optimizer_hyperparams=rates[1], weight_decay=0.0)
    write_foreign(folder="b", random_seed=43, optimizer_hyperparams=rates[1], moment="2019-01-01-00-00-00")
    write_foreign(folder="c", train_losses=[2.0, float("nan"), 2, 2, 2], valid_losses=..., valid_accuracies=...)
    write_foreign(folder="d", testproblem="cifar10_3c3d", l2_reg=None, weight_decay=...)
    write_foreign(
        folder="e",
        testproblem="cifar10_3c3d_nodecay",
        optimizer_name="PowKernelMomentumOptimizerW_momscaled",
        optimizer_hyperparams={"learning_rate": 0.1, "power": 0.5, "weight_decay_opt": 0.002},
    )
    write_foreign(folder="f", testproblem="cifar10_3c3d", **deepobs_1_1)
    write_foreign(folder="g", testproblem="nobody_knows", train_losses=[3.0, 2, 1, 3, 3], test_losses=[3.0, 2, 1, 3, 3])
    write_foreign(folder="h", batch_size=64, train_losses=[3.0, 2.0])
    write_foreign(folder="i", batch_size=32, test_losses=...)
    (tree / "README.md").touch()
    return tree


def test_what_counts_is_the_same_in_the_clean_tree(messy: Path, tmp_path: Path) -> None:
    conversion = convert(messy, tmp_path / "clean")
    before, after = frames.load(messy), frames.load(tmp_path / "clean")
    kept = sorted_runs(before)
    kept = kept[~kept["batch_size"].isin([64, 32])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, sorted_runs(after), check_exact=True)
    assert conversion.written == len(after.runs) == 7
    assert conversion.left_out == {"stray_file": 1, "repeated_seed": 1, "cut_short": 1, "missing_curve": 1}
    assert set(after.runs["dialect"]) == {"1.2", "nonlinear"}


def test_in_the_clean_tree_only_what_the_runs_are_is_irregular(messy: Path, tmp_path: Path) -> None:
    convert(messy, tmp_path / "clean")
    about_runs = {"not_finite": 1, "diverged_flat": 1, "no_validation": 1, "validation_overlaps_training": 2}
    assert lint(tmp_path / "clean").counts == about_runs


def test_a_clean_tree_has_the_keys_of_deepobs_1_2(messy: Path, tmp_path: Path) -> None:
    convert(messy, tmp_path / "clean")
    for path in (tmp_path / "clean").rglob("*.json"):
        table = json.loads(path.read_text())
        head = ["testproblem", "batch_size", "num_epochs", "random_seed", "weight_decay", "optimizer_name"]
        assert list(table)[:8] == [*head, "optimizer_hyperparams", "training_params"]
        assert path.parts[-4:-2] == (table["testproblem"], table["optimizer_name"])
        assert path.parent.name.startswith("num_epochs__4__batch_size__128")
        assert table["minibatch_train_losses"] == [2.3, 1.5, 1.25, 1.0]


def test_a_setting_has_one_folder_and_one_spelling(messy: Path, tmp_path: Path) -> None:
    convert(messy, tmp_path / "clean")
    (folder,) = (tmp_path / "clean" / "fmnist_2c2d" / "MomentumOptimizer").glob("*clip__inf*")
    tables = [json.loads(path.read_text()) for path in sorted(folder.iterdir())]
    assert [table["random_seed"] for table in tables] == [42, 43]
    assert tables[0]["optimizer_hyperparams"] == tables[1]["optimizer_hyperparams"]
    assert tables[0]["weight_decay"] == tables[1]["weight_decay"] == 0.0


def test_the_factor_of_the_problem_is_written_out(messy: Path, tmp_path: Path) -> None:
    convert(messy, tmp_path / "clean")
    factors = {
        (table["testproblem"], table["optimizer_name"]): table["weight_decay"]
        for table in (json.loads(path.read_text()) for path in (tmp_path / "clean").rglob("*.json"))
    }
    assert factors["cifar10_3c3d", "MomentumOptimizer"] == 0.002
    assert factors["cifar10_3c3d", "PowKernelMomentumOptimizerW_momscaled"] == 0.0
    assert factors["nobody_knows", "MomentumOptimizer"] is None


def test_converting_again_changes_nothing(messy: Path, tmp_path: Path) -> None:
    convert(messy, tmp_path / "clean")
    convert(tmp_path / "clean", tmp_path / "cleaner")
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.json")}
        for folder in (tmp_path / "clean", tmp_path / "cleaner")
    ]
    assert contents[0] == contents[1]


def test_the_decay_of_an_optimizer_of_pytorch_stays_its_own(
    write_foreign: Callable[..., Path], tree: Path, tmp_path: Path
) -> None:
    for optimizer, strength in (("SGD", 0.5), ("AdamW", 0.25)):
        write_foreign(
            folder=optimizer,
            testproblem="quadratic_deep",
            optimizer_name=optimizer,
            optimizer_hyperparams={"lr": 0.1, "weight_decay": strength},
        )
    convert(tree, tmp_path / "clean")
    runs = frames.load(tmp_path / "clean").runs.sort_values("optimizer")
    assert runs["coupling"].tolist() == ["decoupled", "l2"]
    assert runs["decay"].tolist() == [0.25, 0.5]
    assert not runs["loss_has_penalty"].any()
    for path in (tmp_path / "clean").rglob("*.json"):
        table = json.loads(path.read_text())
        assert table["weight_decay"] == 0.0
        assert table["optimizer_hyperparams"]["weight_decay"] in (0.5, 0.25)


def test_the_old_tree_is_not_touched(messy: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in messy.rglob("*")}
    convert(messy, tmp_path / "clean")
    assert {path: path.stat().st_mtime_ns for path in messy.rglob("*")} == before


def test_files_of_ours_stay_as_they_are(
    tmp_path: Path, make_stored_spec: Callable[..., RunSpec], make_stored_result: Callable[..., RunResult]
) -> None:
    folder = Folder(tmp_path / "ours")
    path = folder.write(make_stored_result())
    short = {"test_losses": [1.0, 0.5]}
    timed_out = make_stored_result(
        make_stored_spec(seed=43), outcome=Outcome.TIMED_OUT, curves=short, losses_without_penalty=short
    )
    folder.write(timed_out)
    conversion = convert(tmp_path / "ours", tmp_path / "clean")
    (copy,) = (tmp_path / "clean").rglob("*.json")
    assert copy.relative_to(tmp_path / "clean") == path.relative_to(tmp_path / "ours")
    assert copy.read_bytes() == path.read_bytes()
    assert conversion.left_out == {"cut_short": 1}


def test_a_damaged_file_of_ours_is_an_error(tmp_path: Path, make_stored_result: Callable[..., RunResult]) -> None:
    table = json.loads(deepobs.write_json(make_stored_result()))
    table["regbench"]["digest"] = "0"
    del table["regbench"]["checksum"]  # as in files of earlier versions
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "run.json").write_text(json.dumps(table))
    with pytest.raises(ResultsError, match=r"^run.json: it changed while it was read, or is damaged: `digest` must be"):
        convert(tmp_path / "ours", tmp_path / "clean")
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_the_target_may_be_an_empty_folder(messy: Path, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    assert convert(messy, tmp_path / "clean").written == 7


def test_a_target_that_holds_something_is_refused(messy: Path, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "mine").write_text("mine")
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    for name in ("clean", "file", "link"):
        with pytest.raises(ResultsError, match="the new tree must be a folder that does not exist or is empty"):
            convert(messy, tmp_path / name)
    assert (tmp_path / "clean" / "mine").read_text() == "mine"
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("target", ["", "clean", "a/clean", "../tree/clean", "../link/clean"])
def test_a_target_in_the_old_tree_is_refused(messy: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(messy)
    before = sorted(messy.rglob("*"))
    with pytest.raises(ResultsError, match="must not lie in the old one"):
        convert(messy, messy / target)
    assert sorted(messy.rglob("*")) == before


def test_a_missing_source_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="it cannot be read as results: No such file or directory"):
        convert(tmp_path / "none", tmp_path / "clean")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_conversion_that_breaks_off_leaves_nothing(
    messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    real, written = Path.open, []

    def fail(path: Path, mode: str, **options: Any) -> Any:
        if mode == "xb":
            written.append(path)
        if len(written) == 3:
            raise error
        return real(path, mode, **options)

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ResultsError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        convert(messy, tmp_path / "clean")
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]
    if isinstance(error, OSError):
        assert str(caught.value).endswith("it cannot be written here: No space left on device")


def test_a_folder_that_cannot_be_written_to_is_an_error(
    unprivileged_folder: Path, foreign_table: Callable[..., dict[str, Any]]
) -> None:
    source, closed = unprivileged_folder / "source", unprivileged_folder / "closed"
    source.mkdir()
    (source / "run.json").write_text(json.dumps(foreign_table()))
    closed.mkdir(mode=0o500)
    with pytest.raises(ResultsError, match="it cannot be written here: Permission denied"):
        convert(source, closed / "clean")
    assert list(closed.iterdir()) == []
