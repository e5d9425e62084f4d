"""Code, definitions and spaces that changed behind results that are there: told, and never used in silence."""

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from regbench import benchmark, catalog
from regbench.benchmark import listing
from regbench.cli import main
from regbench.comparison import compare
from regbench.errors import DefinitionError
from regbench.records import Part, Problem, Range, Selection

OPTIMIZER = """
import keras
from own_factors import FACTOR

class Mine(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * {factor} * FACTOR, variable, learning_rate)
"""
SPACE = """
summary = "Mine"
source = "a test"
[optimizer]
name = "own_steps:Mine"
learning_rate = {{ low = {low}, high = 0.1, log = true, default = 0.01 }}
"""
SEARCH = "search quadratic_deep mine --budget 2 --epochs 1 --reruns 2"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("search_spaces").mkdir()
    write()
    return tmp_path


def write(factor=1.0, low=0.001, helper=1.0):
    Path("own_factors.py").write_text(f"FACTOR = {helper}")
    Path("own_steps.py").write_text(OPTIMIZER.format(factor=factor))
    Path("search_spaces/mine.toml").write_text(SPACE.format(low=low))


def runs():
    return {path: path.read_bytes() for path in Path("results").rglob("*.json")}


def test_edited_code_is_told_and_trained_anew_only_when_asked(workspace, capfd):
    assert main(shlex.split(SEARCH)) == 0
    before = runs()
    assert len(before) == 4
    write(factor=2.0)
    capfd.readouterr()
    assert main(shlex.split(SEARCH)) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "mine was searched on quadratic_deep with another source of own_steps:Mine" in line
    assert "another name" in line
    assert "--fresh" in line
    assert runs() == before
    assert main(shlex.split(SEARCH + " --fresh")) == 0
    after = runs()
    assert len(after) == 8
    assert {path: after[path] for path in before} == before
    # What is there now is found without being asked again, and so is a search of another size.
    assert main(shlex.split(SEARCH)) == 0
    assert main(shlex.split(SEARCH.replace("--budget 2", "--budget 3"))) == 0
    assert len(runs()) == 8 + 1  # the third trial, which does not win
    comparison = compare(results=["results"], baselines="none", budget=2)
    assert len(comparison.table) == 2
    assert comparison.table["label"].str.contains("definition").all()
    assert not comparison.claims["claimed"].any()
    assert set(comparison.claims["reason"]) == {"another definition of the candidate"}


def figures():
    """What a comparison says of each entry."""
    table = compare(results=["results"], baselines="none").table
    return [(row["mean"], row["sd"], row["setting"], row["trials"]) for row in table.to_dict("records")]


@pytest.mark.slow
def test_old_runs_keep_their_figures_beside_those_of_edited_code(workspace, capfd):
    assert main(shlex.split(SEARCH)) == 0
    (before,) = figures()
    (listed,) = listing.list_searches("results", print).searches
    write(helper=0.5)  # of a module that the optimizer's imports
    assert main(shlex.split(SEARCH)) == 2
    assert "another source of own_steps:Mine" in capfd.readouterr().err
    assert main(shlex.split(SEARCH.replace("search", "plan"))) == 2
    assert main(shlex.split(SEARCH.replace("search", "plan") + " --fresh --format json")) == 0
    assert json.loads(capfd.readouterr().out)["searches"][0]["missing"] == 2
    assert main(shlex.split(SEARCH + " --fresh")) == 0
    after = figures()
    assert len(after) == 2
    assert before in after
    assert after[0] != after[1]  # what was edited was run, in the same process
    searches = listing.list_searches("results", print).searches
    assert listed.winner in [one.winner for one in searches]
    assert [(one.trials_there, one.reruns_there) for one in searches] == [(2, 2), (2, 2)]
    assert main(shlex.split("lint results")) == 0
    assert "repeated_seed" not in capfd.readouterr().out
    write()  # as it was: found again
    assert main(shlex.split(SEARCH)) == 0
    assert len(runs()) == 8


def paint(folder, shade):
    for split in ("train", "valid", "test"):
        for label, name in enumerate(("ant", "bee")):
            for number in range(2):
                path = folder / "silhouettes" / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (200, 200), (100 * label, shade, 10 * number)).save(path)


@pytest.mark.slow
def test_changed_data_are_told_and_stand_apart(tmp_path):
    paint(tmp_path, shade=0)
    problem = Problem(
        name="shades",
        summary="",
        source="",
        dataset="silhouettes",
        selection=Selection(classes=(0, 1)),
        augmentation="none",
        model=Part(name="logreg"),
        loss="sparse_categorical_crossentropy",
        metric="accuracy",
        goal="maximize",
        chance=0.5,
        batch_size=2,
        epochs=1,
    )
    results = tmp_path / "results"
    options = {"budget": 2, "reruns": 1, "results": results, "data_dir": tmp_path}

    def search(**others):
        (standing,) = benchmark.search(problem, "sgd", **options, **others)
        return standing.model_dump(exclude={"runs"})

    first = search()
    before = {path: path.read_bytes() for path in results.rglob("*.*") if path.is_file()}
    paint(tmp_path, shade=200)
    with pytest.raises(DefinitionError, match=r"\.search: sgd was searched on shades with another content of the data"):
        search()
    second = search(fresh=True)
    assert second != first
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(results.rglob("*.json"))) == 6
    assert search() == second  # begun anew once, and not asked again
    paint(tmp_path, shade=0)
    assert search() == first
    assert len(list(results.rglob("*.json"))) == 6
    comparison = compare(results=[results], baselines="none")
    assert len(comparison.table) == 2
    assert sum(comparison.table["note"].str.contains("not ranked: data ")) == 1
    assert not len(comparison.claims)
    assert [one.is_complete for one in listing.list_searches(results, print).searches] == [True, True]


def test_edited_space_is_told(workspace, capfd):
    assert main(shlex.split(SEARCH)) == 0
    write(low=0.0001)
    capfd.readouterr()
    assert main(shlex.split(SEARCH)) == 2
    assert "with another definition of the candidate" in capfd.readouterr().err


def test_edited_problem_is_told_and_its_entries_stand_apart(tmp_path):
    problem = catalog.problem("quadratic_deep")
    other = problem.model_copy(update={"chance": 1e6})
    options = {"budget": 2, "epochs": 1, "reruns": 2, "results": tmp_path}
    benchmark.search(problem, ["sgd", "momentum"], **options)
    with pytest.raises(DefinitionError, match="another definition of the problem: give it another name"):
        benchmark.search(other, "sgd", **options)
    benchmark.search(other, "sgd", fresh=True, **options)
    table = compare(results=[tmp_path], baselines="none").table
    apart = table[~table["comparable"]]
    assert len(table) == 3
    assert len(apart) == 1
    assert apart["note"].str.contains("not ranked: problem ").all()


def test_what_is_only_told_of_a_problem_may_change(tmp_path):
    problem = catalog.problem("quadratic_deep")
    told = problem.model_copy(update={"summary": "x", "source": "y", "convergence": 1.0})
    options = {"budget": 2, "epochs": 1, "reruns": 1, "results": tmp_path}
    benchmark.search(problem, "sgd", **options)
    benchmark.search(told, "sgd", **options)
    assert len(list(tmp_path.rglob("*.json"))) == 3


def test_another_candidate_of_the_same_name_is_told(tmp_path):
    sgd = catalog.candidate("sgd")
    rate = Range(low=0.01, high=0.1, log=True, default=0.05)
    arguments = sgd.optimizer.arguments | {"learning_rate": rate}
    narrow = sgd.model_copy(update={"optimizer": sgd.optimizer.model_copy(update={"arguments": arguments})})
    options = {"budget": 2, "epochs": 1, "reruns": 1, "results": tmp_path}
    benchmark.search("quadratic_deep", sgd, **options)
    with pytest.raises(DefinitionError, match="sgd was searched on quadratic_deep with another definition of the cand"):
        benchmark.search("quadratic_deep", narrow, **options)
