"""The bundled baselines: the same frames as those of the trees that they come from, and what their README says."""

import math

import pandas as pd
import pytest

from regbench.analysis import ranking
from regbench.analysis.entries import reported
from regbench.analysis.labels import with_labels
from regbench.errors import ResultsError
from regbench.records import Manifest, Origin, Role
from regbench.store import manifests
from regbench.store.folder import Folder
from regbench.trees import bundled, frames

LOST = ["source", "file", "moment", "run"]


@pytest.mark.parametrize("source", bundled.SOURCES)
def test_bundled_runs_have_the_columns_and_types_of_any_other(source):
    runs = bundled.load(source).runs
    assert {name: str(dtype) for name, dtype in runs.dtypes.items()} == {
        name: dtype for name, (dtype, _) in frames.RUNS.items()
    }
    assert (runs["source"] == source).all()
    assert not runs["superseded"].any()


def test_curves_of_published_winners_end_in_their_values():
    found = bundled.load("published")
    shown = reported(with_labels(found.runs))
    table = ranking.ranked_entries(with_labels(found.runs))
    assert (table["n_seeds"] > 0).all()
    curves = found.curves(shown["run"]).merge(found.runs, on="run", suffixes=("_of_curve", ""))
    last = curves[(curves["epoch"] == curves["epochs"])]
    assert len(last) > len(shown)
    for metric, rows in last.groupby("metric_of_curve", observed=True):
        assert (rows["value"] == rows[f"final_{metric}"]).all()


def test_only_winners_among_published_runs_have_curves():
    found = bundled.load("published")
    assert set(found.curves()["run"]) == set(reported(with_labels(found.runs))["run"])


@pytest.fixture
def tree(tmp_path, make_task, make_result):
    """A tree with two searches that share a run, a run by hand, and a run without a word on what made it."""
    task = make_task("digits_mlp", "sgd")
    specs = [task.spec({"optimizer.learning_rate": rate}, 42) for rate in (0.1, 0.2, 0.3, 0.4)]
    folder = Folder(tmp_path / "tree")
    searches = [f"{number}" * 64 for number in (1, 2)]
    origins = [
        *(
            Origin(role=Role.TRIAL, number=number, search=searches[0], sampler="random", seed=42, budget=2)
            for number in (0, 1)
        ),
        Origin(role=Role.BY_HAND),
        None,
    ]
    for spec, origin in zip(specs, origins, strict=True):
        values = {f"{split}_{name}": 0.5 for split in ("train", "valid", "test") for name in ("losses", "accuracies")}
        folder.write(make_result(spec, penalty=0.25, **values).model_copy(update={"origin": origin}))
    for search, trials in zip(searches, (specs[:2], [specs[1], specs[3].model_copy(update={"seed": 1})]), strict=True):
        about = {"digest": search, "problem": "digits_mlp", "candidate": "sgd", "sampler": "random", "budget": 2}
        manifest = Manifest(
            **about,
            **{"seed": 42, "reruns": 9, "epochs": 3, "batch_size": 64, "schedule": "none", "protocol": "deepobs"},
            problem_digest="3" * 64,
            space_digest="4" * 64,
            trials=tuple(spec.digest() for spec in trials),
            winner=1,
        )
        manifests.write(folder.path, manifest)
    return folder.path


def in_order(runs):
    return runs.drop(columns=LOST).sort_values(["setting", "search"], ignore_index=True)


def test_bundle_of_a_tree_gives_the_frames_of_the_tree(tree, tmp_path):
    before = frames.load(tree)
    listed = [manifests.read(path) for path in manifests.find(tree)]
    (path,) = bundled.write(tmp_path / "mine", before, manifests=listed)
    assert path.name == "digits_mlp.parquet"
    after = bundled.load("mine", tmp_path)
    assert len(after.runs) == len(before.runs) == 5  # one run belongs to both searches
    # The steps of a run are counted in its minibatch losses, so the seconds of one are kept beside the whole.
    pd.testing.assert_frame_equal(in_order(after.runs), in_order(before.runs))
    curves = [
        one.curves().merge(one.runs[["run", "setting", "search"]], on="run").drop(columns="run")
        for one in (before, after)
    ]
    order = ["setting", "search", "metric", "epoch"]
    left, right = (one.sort_values(order, ignore_index=True) for one in curves)
    pd.testing.assert_frame_equal(left, right)
    for run in Folder(tree).runs():
        assert bundled.BundleFile(path).find(run.spec).model_dump() == run.model_dump()


def test_written_files_are_read_as_they_were(tmp_path):
    before = bundled.load("published")
    shown = set(reported(with_labels(before.runs))["run"])
    bundled.write(tmp_path / "published", before, with_curves=shown)
    after = bundled.load("published", tmp_path)
    pd.testing.assert_frame_equal(before.runs, after.runs)
    pd.testing.assert_frame_equal(before.curves(), after.curves())


def test_missing_source_is_one_clear_line(tmp_path):
    with pytest.raises(ResultsError, match=r"published: the runs that come with regbench are missing"):
        bundled.load("published", tmp_path)


def test_damaged_file_is_one_clear_line_that_names_it(tmp_path):
    before = bundled.load("published")
    first, *_ = bundled.write(tmp_path / "published", before)
    first.write_bytes(first.read_bytes()[:-9])
    with pytest.raises(ResultsError, match=rf"{first.name}: .* cannot be read") as raised:
        bundled.load("published", tmp_path)
    assert str(raised.value).isprintable()


def test_values_that_are_not_finite_are_kept(tmp_path, make_task, make_result):
    spec = make_task("quadratic_deep", "sgd").spec({"optimizer.learning_rate": 0.1}, 42)
    values = {"train_losses": math.inf, "valid_losses": math.nan, "test_losses": -math.inf}
    Folder(tmp_path / "tree").write(make_result(spec, **values))
    before = frames.load(tmp_path / "tree")
    bundled.write(tmp_path / "mine", before)
    after = bundled.load("mine", tmp_path)
    pd.testing.assert_frame_equal(in_order(after.runs), in_order(before.runs))
    pd.testing.assert_frame_equal(after.curves(), before.curves())
