"""What a comparison ranks is a search: of one tree with several searches of a candidate, and runs by hand."""

import json
import shutil

import pandas as pd
import pytest

import regbench
from regbench import benchmark
from regbench.cli import main
from regbench.comparison import compare
from regbench.store import manifests
from regbench.trees.searches import BY_HAND

RATE = "optimizer.learning_rate"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two searches of sgd, one of momentum, and a run by hand, all on formulas."""
    folder = tmp_path_factory.mktemp("several") / "results"
    options = {"epochs": 2, "reruns": 3, "results": folder}
    standings = [
        *benchmark.search("quadratic_deep", ["sgd", "momentum"], budget=4, **options),
        *benchmark.search("quadratic_deep", ["sgd"], budget=6, sampler="qmc", **options),
    ]
    benchmark.run("quadratic_deep", "sgd", setting={RATE: 0.02}, epochs=2, results=folder)
    return folder, standings


def test_each_search_is_an_entry_with_the_numbers_of_its_standing(tree):
    folder, standings = tree
    table = compare(results=[folder], baselines="none").table
    assert set(table["label"]) == {"sgd · 4 trials · random", "sgd · 6 trials · qmc", "momentum"}
    assert table["budget"].tolist() == [{"random": 4, "qmc": 6}[name] for name in table["sampler"]]
    by_search = table.set_index("search")
    for standing in standings:
        row = by_search.loc[standing.search]
        assert (row["mean"], row["sd"]) == (standing.test_mean, standing.test_sd)
        assert (row["trials"], row["diverged"]) == (standing.trials, standing.diverged_trials)
        assert (row["coupling"], row["seeds"]) == (standing.coupling, standing.seeds)
        assert row["setting"]["learning_rate"] == standing.setting[RATE]


def test_search_with_another_budget_that_cannot_be_cut_is_apart_and_claims_nothing(tree):
    folder, _ = tree
    comparison = compare(results=[folder], baselines="none")
    table = comparison.table.set_index("label")
    assert table["comparable"].to_dict() == {
        "sgd · 4 trials · random": True,
        "momentum": True,
        "sgd · 6 trials · qmc": False,
    }
    assert table.loc["sgd · 6 trials · qmc", "note"] == "not ranked: 6 trials (ranked: 4)"
    assert not comparison.claims_of("all")[["better", "worse"]].isin(["sgd · 6 trials · qmc"]).any(axis=None)


def test_runs_by_hand_are_told_and_count_nowhere(tree):
    folder, _ = tree
    comparison = compare(results=[folder], baselines="none")
    assert any("1 run by hand belongs to no search of sgd" in line for line in comparison.warnings)
    by_hand = comparison.runs[comparison.runs["search"] == BY_HAND]
    assert len(by_hand) == 1
    assert not set(by_hand["run"]) & set(comparison.trials["run"]) | set(by_hand["run"]) & set(
        comparison.reported["run"]
    )


def test_filter_by_budget_keeps_searches_of_that_budget(tree, capsys):
    folder, _ = tree
    table = compare(results=[folder], baselines="none", budget=6).table
    assert list(table["sampler"]) == ["qmc"]
    with pytest.raises(regbench.errors.ResultsError, match="`budget` must be that of a search in the results: 4, 6"):
        compare(results=[folder], baselines="none", budget=5)


def test_json_has_budget_and_search_of_each_row(tree, capsys):
    folder, standings = tree
    assert main(["compare", "--results", str(folder), "--baselines", "none", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["search"], row["budget"], row["sampler"], row["study_seed"]) for row in rows} == {
        (one.search, one.budget, one.sampler, 42) for one in standings
    }


def test_where_manifests_are_gone_runs_go_by_what_they_say_themselves(tree, tmp_path):
    folder, _ = tree
    copy = shutil.copytree(folder, tmp_path / "copy")
    for path in manifests.find(copy):
        path.unlink()
    before, after = (compare(results=[one], baselines="none").table for one in (folder, copy))
    columns = ["search", "budget", "mean", "sd", "trials", "seeds", "rank"]
    pd.testing.assert_frame_equal(after[columns], before[columns])


def test_files_of_earlier_versions_have_their_search_inferred(tree, tmp_path):
    folder, standings = tree
    copy = shutil.copytree(folder, tmp_path / "copy")
    of_search = {standing.candidate: standing for standing in standings}["momentum"]
    for path in manifests.find(copy):
        path.unlink()
    for path in copy.rglob("*.json"):
        table = json.loads(path.read_bytes())
        del table["regbench"]["origin"], table["regbench"]["checksum"]
        path.write_text(json.dumps(table))
    comparison = compare(results=[copy], baselines="none")
    (row,) = comparison.table[comparison.table["candidate"] == "momentum"].to_dict("records")
    assert (row["search"], row["sampler"], row["study_seed"], row["budget"]) == ("", "", None, 4)
    assert (row["mean"], row["sd"]) == (of_search.test_mean, of_search.test_sd)
    assert any("inferred from the runs" in line for line in comparison.warnings)


def test_trials_without_a_run_are_counted_in_the_row(tree, tmp_path):
    folder, _ = tree
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = next(one for one in map(manifests.read, manifests.find(copy)) if one.candidate == "momentum")
    lost = [number for number in range(4) if number != manifest.winner][:2]
    digests = {manifest.trials[number] for number in lost}
    for path in copy.rglob("*.json"):
        if json.loads(path.read_bytes())["regbench"]["digest"] in digests:
            path.unlink()
    (row,) = compare(results=[copy], baselines="none", candidates=["momentum"]).table.to_dict("records")
    assert (row["trials"], row["unfinished"], row["budget"]) == (4, 2, 4)
    assert "2 of 4 trials have no run" in row["note"]
