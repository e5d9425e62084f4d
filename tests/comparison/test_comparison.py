"""`regbench.compare` and the command: trees and baselines side by side."""

import csv
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import regbench
from regbench.analysis import ranking
from regbench.cli import main
from regbench.comparison import figures
from regbench.errors import DefinitionError, ResultsError

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "published"
TREES = [PUBLISHED / name for name in ("deepobs_baselines", "nonlinear_weight_updates")]
needs_published = pytest.mark.skipif(
    not all(tree.is_dir() for tree in TREES), reason="the published result files are not here"
)

# Of some published winners: final test metric, mean and sd (ddof 1). The figures quoted for DeepOBS's baselines
# are those of the nine re-runs (`clean_mean`); all 36 studies are in tests/analysis/test_ranking_published.py.
CLEAN = {
    ("cifar10_3c3d", "adam"): (0.8472, 0.0036),
    ("cifar10_3c3d", "sgd"): (0.8369, 0.0129),
    ("cifar10_3c3d", "momentum"): (0.8438, 0.0067),
}
ALL_SEEDS = {
    ("cifar10_3c3d", "power_sgd_decoupled"): (0.8323, 0.0079),
    ("cifar10_3c3d", "power_momentum_decoupled_momentum"): (0.8383, 0.0035),
    ("cifar10_3c3d", "power_nesterov_decoupled_momentum"): (0.8426, 0.0056),
}


@pytest.fixture
def command(capsys):
    """Run `regbench compare`; gives exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["compare", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def small_tree(tmp_path_factory):
    """A real search of three trials and two re-runs, under two protocols."""
    folder = tmp_path_factory.mktemp("tree")
    for protocol in ("deepobs", "strict"):
        regbench.search(
            "quadratic_deep", ["sgd", "momentum"], budget=3, epochs=2, reruns=2, protocol=protocol, results=folder
        )
    return folder


@needs_published
def test_published_winners_and_figures_are_found_in_all_36_studies(command):
    results = [part for tree in TREES for part in ("--results", tree)]
    code, output, _ = command("--baselines", "none", *results, "--format", "json")
    rows = {(row["problem"], row["candidate"]): row for row in json.loads(output)}
    assert code == 0
    assert len(json.loads(output)) == len(rows) == 36
    assert {row["n_seeds"] for row in rows.values()} == {10}
    for key, expected in CLEAN.items():
        assert (round(rows[key]["clean_mean"], 4), round(rows[key]["clean_sd"], 4)) == expected
    for key, expected in ALL_SEEDS.items():
        assert (round(rows[key]["mean"], 4), round(rows[key]["sd"], 4)) == expected
        assert rows[key]["seeds"] == list(range(42, 52))


@needs_published
def test_page_says_what_is_no_part_of_a_search(command):
    """Norridge's tree holds settings with other decays than that of the search."""
    _, output, _ = command("cifar10_3c3d", "--baselines", "none", "--results", TREES[1], "--format", "json")
    (row,) = [row for row in json.loads(output) if row["candidate"] == "power_nesterov_decoupled_momentum"]
    assert row["trials"] == 50
    told = "winner chosen by validation that overlaps training"
    assert row["note"] == f"{told}; 4 settings with another decay than the trials' left out"


def test_tree_is_compared_with_bundled_baselines(small_tree, command):
    code, output, errors = command("--results", small_tree, "--format", "json")
    rows = json.loads(output)
    assert code == 0
    assert {row["problem"] for row in rows} == {"quadratic_deep"}
    assert {row["source"] for row in rows} == {str(small_tree), "ours", "published"}
    mine = {(row["candidate"], row["protocol"]): row for row in rows if row["source"] == str(small_tree)}
    assert mine[("sgd", "deepobs")]["trials"] == 3
    assert mine[("sgd", "deepobs")]["seeds"] == [42, 43, 44]
    assert mine[("sgd", "strict")]["seeds"] == [43, 44]
    assert "warning" in errors


def test_results_must_be_folders_in_a_list(small_tree):
    file = next(small_tree.rglob("*.json"))
    with pytest.raises(ResultsError, match=r"\.json: must be a folder of results\. Received: a file"):
        regbench.compare(results=[file])
    with pytest.raises(ResultsError, match="must be a folder of results"):
        regbench.compare(baselines=file)
    with pytest.raises(DefinitionError, match=r"`results` must be a list of folders\. Received: results='"):
        regbench.compare(results=str(small_tree))
    with pytest.raises(ResultsError, match="missing: it cannot be read as results: No such file"):
        regbench.compare(results=["missing"])


def test_problems_are_those_of_the_results_whatever_the_baselines(small_tree, tmp_path, command):
    regbench.search("digits_mlp", ["sgd"], budget=1, epochs=1, reruns=0, results=tmp_path / "other")
    arguments = ("--baselines", tmp_path / "other", "--format", "json")
    mine = json.loads(command("--results", small_tree, *arguments)[1])
    assert {row["problem"] for row in mine} == {"quadratic_deep"}
    assert {row["problem"] for row in json.loads(command(*arguments)[1])} == {"digits_mlp"}


def test_without_a_tree_the_baselines_are_compared_with_each_other(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output, errors = command("--format", "json")
    assert (code, "error" in errors) == (0, False)
    assert {row["problem"] for row in json.loads(output)} == {
        "quadratic_deep",
        "digits_mlp",
        "digits_2c2d",
        "modular_addition",
        "fmnist_2c2d",
        "cifar10_3c3d",
    }


def test_strict_is_never_ranked_beside_deepobs_in_silence(small_tree, command):
    _, output, errors = command("--results", small_tree, "--baselines", "none", "--format", "json")
    rows = json.loads(output)
    ranked = {row["protocol"] for row in rows if row["rank"] is not None}
    apart = [row for row in rows if row["rank"] is None]
    assert len(ranked) == 1
    assert len(apart) == 2
    assert all(not row["comparable"] and "protocol" in row["note"] for row in apart)
    assert "2 entries apart" in errors


def test_all_formats_have_every_entry(small_tree, command):
    rows = json.loads(command("--results", small_tree, "--baselines", "none", "--format", "json")[1])
    table = command("--results", small_tree, "--baselines", "none")[1]
    lines = list(
        csv.DictReader(io.StringIO(command("--results", small_tree, "--baselines", "none", "--format", "csv")[1]))
    )
    markdown = command("--results", small_tree, "--baselines", "none", "--format", "markdown")[1]
    latex = command("--results", small_tree, "--baselines", "none", "--format", "latex")[1]
    assert [line["label"] for line in lines] == [row["label"] for row in rows]
    assert [float(line["mean"]) for line in lines] == [row["mean"] for row in rows]
    assert latex.count("\\\\") == len(rows) + 1
    assert r"\toprule" in latex
    for row in rows:
        assert row["label"] in table
        assert row["label"] in markdown.replace("\\", "")


def test_by_coupling_gives_a_table_for_each(small_tree, command):
    _, output, _ = command("--results", small_tree, "--baselines", "bundled", "--by", "coupling")
    headings = [line for line in output.splitlines() if line.startswith("quadratic_deep")]
    assert len(headings) == len(set(headings)) > 2
    assert any(line.endswith("coupling decoupled") for line in headings)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nonsense"], "There is no problem `nonsense`"),
        (["--candidates", "sgdd"], "There is no candidate `sgdd`. Did you mean"),
        (["--mode", "finale"], "There is no mode `finale`. Did you mean `final`?"),
        (["--metric", "acc"], "There is no metric `acc`"),
        (["--format", "xml"], "There is no format `xml`"),
        (["--by", "seed"], "There is no grouping `seed`"),
        (["--baselines", "nowhere"], "nowhere"),
        (["--results", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message, command, small_tree):
    code, output, errors = command("--results", small_tree, *arguments)
    assert (code, output) == (2, "")
    (line,) = [line for line in errors.splitlines() if "error" in line]
    assert message in line


def test_tree_that_is_given_twice_counts_once(small_tree, tmp_path):
    (tmp_path / "link").symlink_to(small_tree)
    once = regbench.compare(results=[small_tree], baselines="none").table
    for trees, baselines in [([small_tree, small_tree], "none"), ([small_tree], tmp_path / "link")]:
        twice = regbench.compare(results=trees, baselines=baselines).table
        assert twice.equals(once)


def test_problems_are_those_of_the_results_also_where_a_tree_is_given_twice(small_tree, tmp_path):
    regbench.run("two_d_beale", "sgd", epochs=1, results=tmp_path)
    found = regbench.compare(results=[small_tree, small_tree], baselines=tmp_path)
    assert set(found.runs["problem"]) == {"quadratic_deep"}


def test_tree_with_the_name_of_bundled_results_stays_apart_from_them(small_tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours").symlink_to(small_tree)
    runs = regbench.compare(["quadratic_deep"], results=["ours"]).runs
    assert set(runs["source"]) >= {"ours", "./ours"}
    assert (runs["source"] == "./ours").sum() == len(regbench.load("ours").runs)


def test_empty_tree_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="there are no runs to compare"):
        regbench.compare(results=[tmp_path], baselines="none")


def test_unknown_names_are_definition_errors(small_tree):
    with pytest.raises(DefinitionError, match="no problem `x`"):
        regbench.compare(["x"], results=[small_tree])


def test_frames_and_figures_reach_a_notebook(small_tree):
    comparison = regbench.compare(results=[small_tree], baselines="none")
    assert len(comparison.runs) == 2 * 2 * 3 + 2 * 2 * 2 - 2 * 2 * 0
    names = [name for name, _ in figures.draw(comparison)]
    assert {"ranking", "learning_curves", "tuning_curves", "learning_rate", "generalisation"} <= set(names)
    curves = regbench.load(small_tree).curves()
    assert set(curves.columns) == {"run", "metric", "epoch", "value"}
    assert len(curves) == len(comparison.runs) * 3 * 3


def test_entries_are_ranked_once_for_warnings_and_figures(small_tree, monkeypatch):
    calls = []
    rank = ranking.ranked_entries
    monkeypatch.setattr(ranking, "ranked_entries", lambda *one, **more: calls.append(1) or rank(*one, **more))
    comparison = regbench.compare(results=[small_tree], baselines="none")
    assert comparison.warnings
    assert len(comparison.claims) > 0
    assert len(calls) == 1


def test_same_results_give_the_same_comparison(small_tree, command):
    arguments = ("--results", small_tree, "--format", "json")
    assert command(*arguments) == command(*arguments)


def test_decay_takes_no_place_among_the_maps():
    others = ["decay", *"abcd"]
    pairs = [[figures.RATE, name] for place, name in enumerate(others) for _ in range(9 - place)]
    comparison = SimpleNamespace(cards=pd.DataFrame({"tuned": [*pairs, ["decay", "a"], ["a", "learning_rate", "b"]]}))
    assert figures._mapped(comparison) == [*"abcd"]


def test_names_of_files_never_leave_their_folder(small_tree, tmp_path, command):
    """A hyperparameter is called as a result file says, and the map of it has its name."""
    tree = tmp_path / "tree"
    shutil.copytree(small_tree, tree)
    for path in tree.rglob("*.json"):
        text = path.read_text().replace('"momentum": 0', '"/../../evil": 0')
        path.write_text(text.replace('"checksum"', '"former_checksum"'))
    folder = tmp_path / "a" / "plots"
    code, _, errors = command("--results", tree, "--baselines", "none", "--plots", folder)
    assert code == 0
    assert "evil" in errors
    assert not [path for path in tmp_path.rglob("*evil*") if folder not in path.parents]
