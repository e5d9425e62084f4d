"""Searches that were declared as one: one entry, resumable, whose searches are the unit of what is claimed."""

import shutil

import numpy as np
import pytest

import regbench
from regbench import benchmark
from regbench.cli import main
from regbench.comparison import compare
from regbench.store import manifests

OPTIONS = {"budget": 5, "epochs": 2, "searches": 3, "baselines": "none"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Three searches of sgd and of momentum as one entry each, and a search of sgd by itself."""
    folder = tmp_path_factory.mktemp("sets") / "results"
    together = benchmark.search("quadratic_deep", ["sgd", "momentum"], results=folder, **OPTIONS)
    (alone,) = benchmark.search("quadratic_deep", "sgd", results=folder, **{**OPTIONS, "searches": 1}, reruns=5)
    return folder, together, alone


def read(folder):
    return {path: path.read_bytes() for path in manifests.find(folder)}


def test_seeds_are_so_far_apart_that_no_rerun_is_a_trial_of_another(tree):
    folder, _, _ = tree
    records = [manifests.read(path) for path in manifests.find(folder)]
    of_set = sorted((one for one in records if one.searches == 3 and one.candidate == "sgd"), key=lambda one: one.seed)
    assert [one.seed for one in of_set] == [42, 1042, 2042]
    assert len({one.together for one in of_set}) == 1
    assert [len(one.again) for one in of_set] == [2, 2, 2]
    assert [one.together for one in records if one.searches == 1] == [None]


def test_they_are_one_entry_with_the_mean_and_the_error_of_the_searches(tree):
    folder, together, alone = tree
    comparison = compare(results=[folder], baselines="none")
    table = comparison.table.set_index("search")
    for standing in together:
        row = table.loc[standing.search]
        searches = comparison.searched["quadratic_deep", row["label"]].each
        scores = [one.score.value for one in searches]
        assert row["score"] == pytest.approx(np.mean(scores))
        error = np.std(scores, ddof=1) / np.sqrt(3)
        assert row["score_high"] - row["score"] == pytest.approx(4.302653 * error, rel=1e-6)  # t(0.975, 2)
        assert (row["searches"], row["budget"], row["trials"], row["trials_counted"]) == (3, 5, 15, 5)
        assert (row["mean"], row["sd"], row["trials"]) == (standing.test_mean, standing.test_sd, standing.trials)
        assert row["setting"]["learning_rate"] == standing.setting["optimizer.learning_rate"]
    assert table.loc[alone.search, "searches"] == 1
    assert "sgd · 3 searches" in " ".join(table["label"])


def test_winners_are_those_of_the_searches_by_themselves(tree):
    """The score of each is that of the same search in a tree that has nothing else."""
    folder, together, _ = tree
    comparison = compare(results=[folder], baselines="none")
    label = comparison.table.set_index("search").loc[together[0].search, "label"]
    for one in comparison.searched["quadratic_deep", label].each:
        assert one.trials == 5
        assert one.fresh_seeds == 2


def test_search_that_is_taken_up_again_ends_with_the_same_records(tree, tmp_path):
    folder, _, _ = tree
    copy = shutil.copytree(folder, tmp_path / "results")
    whole = {path.relative_to(folder): content for path, content in read(folder).items()}
    removed = sorted(copy.rglob("*.json"))[::3]
    for path in [*removed, *list(manifests.find(copy))[::2]]:
        path.unlink()
    benchmark.search("quadratic_deep", ["sgd", "momentum"], results=copy, **OPTIONS)
    again = {path.relative_to(copy): content for path, content in read(copy).items()}
    of_sets = {path for path, content in whole.items() if b'"searches": 3' in content}
    assert len(of_sets) == 6
    assert all(again[path] == whole[path] for path in of_sets)


def test_one_or_two_searches_claim_nothing_of_their_own(tree, tmp_path):
    folder = tmp_path / "results"
    benchmark.search("quadratic_deep", ["sgd", "momentum"], results=folder, **{**OPTIONS, "searches": 2})
    row = compare(results=[folder], baselines="none").claims.iloc[0]
    assert not row["claimed"]
    assert "2 searches, 3 are needed" in row["reason"]
    settings = compare(results=[tree[0]], baselines="none", question="settings").claims
    assert settings["reason"].str.contains("has the winners of several searches").any()


def test_number_of_searches_must_be_positive(tmp_path, capsys):
    with pytest.raises(regbench.errors.DefinitionError, match=r"`searches` must be positive\. Received: searches=0"):
        benchmark.search("quadratic_deep", "sgd", searches=0, results=tmp_path)
    assert main(["search", "quadratic_deep", "sgd", "--searches", "0", "--results", str(tmp_path / "none")]) == 2
    assert "`searches` must be positive" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
