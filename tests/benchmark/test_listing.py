"""What is told of the searches in a results tree."""

import json
import shutil

import pytest

from regbench import benchmark
from regbench.benchmark.listing import list_searches
from regbench.errors import ResultsError
from regbench.records import Outcome
from regbench.store import manifests


@pytest.fixture
def tree(tmp_path, use_machine, by_score):
    """A function that searches for real, but trains nothing: the largest learning rate is best."""
    use_machine(by_score(lambda spec: spec.setting["optimizer.learning_rate"]))

    def search(*candidates, **options):
        arguments = {"budget": 4, "reruns": 2, "epochs": 1, "results": tmp_path} | options
        return benchmark.search("digits_mlp", candidates or ["sgd"], **arguments)

    search.path = tmp_path
    return search


@pytest.fixture
def listed(tmp_path):
    """What is listed without a warning."""

    def read(folder=tmp_path):
        warnings = []
        found = list_searches(folder, warnings.append)
        assert warnings == []
        return found

    return read


def counts(one):
    return one.trials_there, one.trials, one.reruns_there, one.reruns


def files_by_seed(tree, seed):
    return sorted(tree.path.rglob(f"random_seed__{seed}__*.json"))


def test_complete_search_has_all_runs_and_its_winner(tree, listed):
    (standing,) = tree()
    (one,) = listed().searches
    assert (one.is_complete, counts(one)) == (True, (4, 4, 2, 2))
    assert one.manifest.digest == standing.search
    assert one.winner.spec.setting == standing.setting
    assert one.winner.score() == standing.setting["optimizer.learning_rate"]
    assert (listed().runs_of_no_search, listed().by_hand) == (0, 0)


def test_searches_are_sorted_by_problem_candidate_and_budget(tree, listed):
    tree("sgd", budget=12)
    tree("sgd", "momentum", budget=2)
    benchmark.search("digits_2c2d", "sgd", budget=2, reruns=0, epochs=1, results=tree.path)
    names = [(one.manifest.problem, one.manifest.candidate, one.manifest.budget) for one in listed().searches]
    assert names == [
        ("digits_2c2d", "sgd", 2),
        ("digits_mlp", "momentum", 2),
        ("digits_mlp", "sgd", 2),
        ("digits_mlp", "sgd", 12),
    ]
    assert all(one.is_complete for one in listed().searches)


def test_search_of_which_runs_are_gone_is_in_progress(tree, listed):
    (standing,) = tree()
    files_by_seed(tree, 43)[0].unlink()
    (one,) = listed().searches
    assert (one.is_complete, counts(one)) == (False, (4, 4, 1, 2))
    winning, *others = sorted(
        files_by_seed(tree, 42),
        key=lambda path: json.loads(path.read_text())["regbench"]["spec"]["setting"] != standing.setting,
    )
    others[0].unlink()
    assert counts(listed().searches[0]) == (3, 4, 1, 2)
    winning.unlink()
    (one,) = listed().searches
    assert (one.winner, one.manifest.winner is None, counts(one)) == (None, False, (2, 4, 1, 2))
    tree()
    assert listed().searches[0].is_complete


def test_search_that_was_cut_off_tells_how_many_trials_and_reruns_are_to_come(tree, listed, use_machine, by_score):
    def once(spec):
        if files_by_seed(tree, 42):
            raise KeyboardInterrupt
        return by_score(lambda spec: 0.5)(spec)

    use_machine(once)
    for sampler in ("random", "tpe"):
        with pytest.raises(KeyboardInterrupt):
            tree(sampler=sampler, budget=9)
        (one,) = listed().searches
        assert (one.manifest.sampler, one.is_complete, one.winner) == (sampler, False, None)
        assert counts(one) == (1, 9, 0, 2)
        shutil.rmtree(tree.path / "digits_mlp")


def test_search_without_a_winner_is_complete_without_reruns(tree, listed, use_machine, make_result):
    use_machine(lambda spec: make_result(spec, Outcome.DIVERGED, valid_accuracies=0.1, test_accuracies=0.1))
    tree()
    (one,) = listed().searches
    assert (one.is_complete, one.winner, counts(one)) == (True, None, (4, 4, 0, 0))


def test_search_with_a_crashed_run_is_in_progress(tree, listed, use_machine, make_result, by_score):
    def crash(spec):
        return make_result(spec, Outcome.FAILED) if spec.seed == 44 else by_score(lambda spec: 0.5)(spec)

    use_machine(crash)
    tree()
    (one,) = listed().searches
    assert (one.is_complete, counts(one)) == (False, (4, 4, 1, 2))


def test_setting_that_was_drawn_twice_counts_as_two_trials(tree, listed, tmp_path, monkeypatch):
    (tmp_path / "search_spaces").mkdir()
    text = 'summary = "s"\nsource = "s"\n[optimizer]\nname = "sgd"\nlearning_rate = { choices = [0.1, 0.2] }\n'
    (tmp_path / "search_spaces" / "few.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    tree("few", budget=6)
    (one,) = listed().searches
    assert counts(one) == (6, 6, 2, 2)
    assert len(files_by_seed(tree, 42)) == 2


def test_runs_of_no_search_are_counted_and_those_by_hand_among_them(tree, listed):
    (standing,) = tree()
    options = {"epochs": 1, "results": tree.path}
    benchmark.run("digits_mlp", "sgd", setting={"optimizer.learning_rate": 0.7}, **options)
    assert (listed().runs_of_no_search, listed().by_hand) == (1, 1)
    # A run by hand that is a trial of a search as well is no further one.
    benchmark.run("digits_mlp", "sgd", setting=standing.setting, **options)
    assert (listed().runs_of_no_search, listed().by_hand) == (1, 1)
    next(manifests.find(tree.path)).unlink()
    assert (listed().searches, listed().runs_of_no_search, listed().by_hand) == ([], 7, 1)


def test_tree_can_be_given_at_the_level_of_a_problem_or_a_candidate(tree, listed):
    tree("sgd", "momentum")
    assert [counts(one) for one in listed(tree.path / "digits_mlp").searches] == [(4, 4, 2, 2)] * 2
    assert [counts(one) for one in listed(tree.path / "digits_mlp" / "sgd").searches] == [(4, 4, 2, 2)]


def test_damaged_manifest_is_told_and_the_others_are_listed(tree):
    tree("sgd", "momentum")
    first, second = manifests.find(tree.path)
    first.write_text("{")
    warnings = []
    found = list_searches(tree.path, warnings.append)
    assert [manifests.path_of(tree.path, one.manifest) for one in found.searches] == [second]
    assert (found.runs_of_no_search, found.by_hand) == (6, 0)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{first}: no record of a search: ")


def test_winner_beyond_the_trials_is_no_winner(tree, listed):
    tree()
    (path,) = manifests.find(tree.path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"winner": 4, "checksum": None}))
    assert listed().searches[0].winner is None


def test_files_that_are_no_runs_of_ours_are_told_in_one_line(tree):
    tree()
    broken, foreign = files_by_seed(tree, 42)[:2]
    broken.write_text("{")
    foreign.write_text("{}")
    warnings = []
    (one,) = list_searches(tree.path, warnings.append).searches
    assert counts(one) == (2, 4, 2, 2)
    assert len(warnings) == 1
    assert warnings[0].startswith("2 files are no runs of regbench's and not counted, the first of them ")


def test_empty_tree_has_no_searches(listed):
    assert (listed().searches, listed().runs_of_no_search, listed().by_hand) == ([], 0, 0)


@pytest.mark.parametrize("name", ["nowhere", "file", "x" * 300])
def test_what_is_no_folder_is_refused(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="it cannot be read as results: "):
        list_searches(tmp_path / name, print)
