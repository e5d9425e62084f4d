"""Combinations that had files and names of their own: found under either name, shown under that of today."""

import pytest

from regbench import benchmark, catalog, load
from regbench.cli import main
from regbench.store import bundle, bundle_file, bundle_rows
from regbench.store.folder import Folder
from regbench.trees import bundled

FORMER, NAME = "sgd_l2", "sgd+l2"
RATE = "optimizer.learning_rate"


@pytest.fixture
def machine(use_machine, make_result):
    """One that computes runs whose values depend on their rate; a fresh one each time that it is called."""

    def compute(spec):
        curves = [f"{split}_{kind}" for split in ("train", "valid", "test") for kind in ("losses", "accuracies")]
        return make_result(spec, penalty=0.25, **dict.fromkeys(curves, 1 / (1 + spec.setting[RATE])))

    return lambda: use_machine(compute)


@pytest.fixture
def former(machine, tmp_path):
    """A tree as a search left it when the combination had its own file."""
    machine()
    search(tmp_path, catalog.candidate(FORMER).model_copy(update={"name": FORMER}))
    return tmp_path


def search(results, candidate):
    (standing,) = benchmark.search(
        "digits_mlp", candidate, results=results, budget=3, reruns=2, epochs=2, baselines="bundled"
    )
    return standing.candidate


def folders(tree):
    return {path.name for path in (tree / "digits_mlp").iterdir()}


def test_search_goes_on_where_one_under_the_former_name_began(former, machine):
    for name in (FORMER, NAME):
        again = machine()
        assert search(former, name) == NAME
        assert again.computed == []
        assert folders(former) == {FORMER}


def test_old_tree_shows_the_name_of_today(former, capfd):
    assert set(load(former).runs["candidate"]) == {NAME}
    for command in ("searches", "compare digits_mlp --baselines none"):
        assert main([*command.split(), "--results", str(former), "--format", "json"]) == 0
        shown = capfd.readouterr().out
        assert f'"{NAME}"' in shown
        assert f'"{FORMER}"' not in shown
    for name in (FORMER, NAME):
        arguments = ["compare", "digits_mlp", "--candidates", name, "--baselines", "none", "--results", str(former)]
        assert main(arguments) == 0


def test_bundled_runs_under_the_former_name_are_taken(former, machine, tmp_path, monkeypatch):
    rows = [bundle_rows.columns_of(run) for run in Folder(former).runs()]
    bundle_file.write(bundle.file_of(tmp_path / "ours", "digits_mlp"), rows)
    monkeypatch.setattr(bundle, "source_folder", lambda source: tmp_path / source)
    again = machine()
    assert search(tmp_path / "after", NAME) == NAME
    assert again.computed == []
    assert folders(tmp_path / "after") == {NAME}
    assert len(load(tmp_path / "after").runs) == 5


def test_bundled_entries_have_the_names_of_today():
    names = set(catalog.ALIASES)
    shown = {name for source in ("ours", "published") for name in bundled.load(source).runs["candidate"]}
    assert not names & shown
    assert NAME in shown
