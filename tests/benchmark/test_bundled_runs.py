"""Searches take runs that come with regbench as if the results tree had them, and say so."""

import json
from dataclasses import replace

import pytest

from regbench import benchmark, catalog
from regbench.benchmark import planning
from regbench.benchmark.data import digest_here
from regbench.cli import main
from regbench.errors import UnknownNameError
from regbench.figures.plan import Run
from regbench.figures.runs import FigureRuns
from regbench.records import MINIBATCH, Outcome
from regbench.store import bundle, bundle_file, bundle_rows, manifests
from regbench.store.folder import Folder

CURVES = [f"{split}_{kind}" for split in ("train", "valid", "test") for kind in ("losses", "accuracies")]
RATE = "optimizer.learning_rate"
OPTIONS = {"budget": 3, "reruns": 2, "epochs": 2}


@pytest.fixture
def function(make_result):
    """Computes runs whose values depend on their setting and seed."""

    def compute(spec):
        value = 1 / (1 + abs(spec.setting[RATE] - 0.1)) - spec.seed / 1e6
        data = digest_here(spec.problem.dataset)
        result = make_result(spec, penalty=0.25, **dict.fromkeys(CURVES, value))
        return result.model_copy(update={"data_digest": data})

    return compute


@pytest.fixture
def bundled(tmp_path, monkeypatch, use_machine, function):
    """The runs of a search as a bundle; gives the standings of that search and a machine that has computed nothing."""
    use_machine(function)
    before = search(tmp_path / "before")
    bundle_results(tmp_path, list(Folder(tmp_path / "before").runs()))
    monkeypatch.setattr(bundle, "source_folder", lambda source: tmp_path / source)
    return before, use_machine(function)


def bundle_results(folder, results):
    rows = [bundle_rows.columns_of(result) for result in results]
    bundle_file.write(bundle.file_of(folder / "ours", "digits_mlp"), rows)


def search(results, **options):
    """The rows of the table that ends a search."""
    standings = benchmark.search("digits_mlp", "sgd", results=results, **(OPTIONS | options))
    return [standing.model_dump() for standing in standings]


def test_search_takes_runs_from_the_bundle_and_ends_with_the_same_standings(bundled, tmp_path):
    before, machine = bundled
    events = []
    assert search(tmp_path / "after", progress=events.append) == before
    assert machine.computed == []
    assert all(event.was_found and event.result.is_bundled for event in events)
    copies = {run.spec.digest(): run for run in Folder(tmp_path / "after").runs()}
    originals = {run.spec.digest(): run for run in Folder(tmp_path / "before").runs()}
    assert len(copies) == 5
    assert copies.keys() == originals.keys()
    for digest, copy in copies.items():
        original = originals[digest]
        assert copy.origin == original.origin
        assert copy.environment == original.environment | {"bundled": True}
        assert copy.curves == {name: curve for name, curve in original.curves.items() if name != MINIBATCH}
        assert copy.losses_without_penalty == original.losses_without_penalty
    made = [path.read_bytes() for tree in ("before", "after") for path in manifests.find(tmp_path / tree)]
    assert len(made) == 2
    assert made[0] == made[1]


def test_search_without_baselines_makes_all_runs_also_those_that_were_copied(bundled, tmp_path):
    before, machine = bundled
    search(tmp_path / "after")
    assert search(tmp_path / "after", baselines="none") == before
    assert len(machine.computed) == 5
    assert search(tmp_path / "after", baselines="none") == before
    assert search(tmp_path / "after") == before
    assert len(machine.computed) == 5


def test_runs_that_differ_in_anything_are_made(bundled, tmp_path):
    _, machine = bundled
    search(tmp_path / "after", epochs=3)
    assert len(machine.computed) == 5


def test_only_what_is_missing_is_made(bundled, tmp_path):
    before, machine = bundled
    results = list(Folder(tmp_path / "before").runs())
    bundle_results(tmp_path, results[1:])
    assert search(tmp_path / "after") == before
    assert [spec.digest() for spec in machine.computed] == [results[0].spec.digest()]


def test_runs_on_other_data_are_not_taken(bundled, tmp_path):
    _, machine = bundled
    results = Folder(tmp_path / "before").runs()
    bundle_results(tmp_path, [result.model_copy(update={"data_digest": "sha256:0"}) for result in results])
    told = []
    search(tmp_path / "after", warn=told.append)
    assert len(machine.computed) == 5
    assert told == ["runs that come with regbench were made on other data than those that are here (digits)"]


def test_runs_that_timed_out_are_not_taken(bundled, tmp_path):
    _, machine = bundled
    results = Folder(tmp_path / "before").runs()
    bundle_results(tmp_path, [result.model_copy(update={"outcome": Outcome.TIMED_OUT}) for result in results])
    search(tmp_path / "after")
    assert len(machine.computed) == 5


def test_run_whose_steps_or_kernels_are_wanted_is_made(bundled, tmp_path, use_machine, function):
    _, machine = bundled
    spec = next(Folder(tmp_path / "before").runs()).spec
    (taken,) = benchmark.run_all([spec], results=tmp_path / "after", minibatch=False)
    assert taken.is_bundled
    (made,) = benchmark.run_all([spec], results=tmp_path / "after")
    assert made.curves[MINIBATCH] == [1.0]
    assert machine.computed == [spec]
    with_kernels = use_machine(function, keep_kernels=True)
    benchmark.run_all([spec], results=tmp_path / "kernels", minibatch=False)
    assert with_kernels.computed == [spec]


def test_figure_takes_runs_unless_it_draws_their_steps(bundled, tmp_path):
    _, machine = bundled
    spec = next(Folder(tmp_path / "before").runs()).spec
    known = {"epochs": spec.epochs, "protocol": spec.protocol, "setting": spec.setting}
    run = Run(spec.problem, catalog.candidate("sgd"), spec.seed, **known)
    results = FigureRuns([tmp_path / "after"])
    results.train([run])
    assert results.find(run).is_bundled
    assert machine.computed == []
    with_steps = replace(run, with_steps=True)
    assert FigureRuns([tmp_path / "after"]).find(with_steps) is None
    results.train([with_steps])
    assert machine.computed == [spec]
    assert MINIBATCH in results.find(with_steps).curves


def test_damaged_file_is_told_and_the_search_goes_on(bundled, tmp_path):
    before, machine = bundled
    path = bundle.file_of(tmp_path / "ours", "digits_mlp")
    path.write_bytes(path.read_bytes()[:-5])
    told = []
    assert search(tmp_path / "after", warn=told.append) == before
    assert len(machine.computed) == 5
    assert len(told) == 1
    assert "digits_mlp.parquet" in told[0]


def test_unknown_word_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match=r"There is no choice of baselines `mine`\. Known: bundled, none\."):
        search(tmp_path, baselines="mine")


def test_plan_counts_bundled_runs_as_found(bundled, tmp_path):
    options = OPTIONS | {"results": tmp_path / "after"}
    (planned,) = planning.plan("digits_mlp", "sgd", **options)
    assert len(planned.runs) == 5
    assert all(run.is_found and run.is_bundled for run in planned.runs)
    assert planned.missing() == []
    (planned,) = planning.plan("digits_mlp", "sgd", baselines="none", **options)
    assert len(planned.missing()) == 3


def test_commands_say_how_many_runs_came_with_regbench(bundled, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["digits_mlp", "sgd", "--budget", "3", "--reruns", "2", "--epochs", "2", "--results", "after"]
    assert main(["plan", *words, "--missing"]) == 0
    assert "sgd: 5 runs, 0 of them in after, 5 came with regbench; " in capsys.readouterr().err
    assert main(["search", *words, "--json"]) == 0
    written = capsys.readouterr()
    told = "regbench: 5 runs came with regbench (--baselines none trains them here)"
    assert written.err.splitlines().count(told) == 1
    assert written.err.splitlines()[-1] == told
    assert [row["candidate"] for row in json.loads(written.out)] == ["sgd"]
    assert main(["search", *words, "--baselines", "none", "--json"]) == 0
    assert "came with regbench" not in capsys.readouterr().err
