"""How the runs of a tree belong together: repeated seeds, spellings of one setting, what decides on a problem."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from regbench.records import RunResult, RunSpec
from regbench.store import deepobs
from regbench.trees.tree import TreeRun, read_tree

Write = Callable[..., Path]


def by_folder(tree: Path) -> dict[str, TreeRun]:
    return {one.file.split("/")[0]: one for one in read_tree(tree).runs}


def kinds(one: TreeRun) -> list[str]:
    return [irregularity.kind for irregularity in one.run.irregular]


def test_the_newest_run_of_a_seed_counts(write_foreign: Write, tree: Path) -> None:
    """The moment is that in the name; the folder has no say."""
    write_foreign(folder="a", moment="2021-01-01-00-00-00")
    write_foreign(folder="b", moment="2020-12-31-23-59-59")
    runs = by_folder(tree)
    assert not runs["a"].superseded
    assert runs["b"].superseded
    assert [irregularity for irregularity in runs["b"].run.irregular if irregularity.kind == "repeated_seed"] == [
        ("repeated_seed", f"seed 42; {runs['a'].file} counts")
    ]
    assert "repeated_seed" not in kinds(runs["a"])


def test_an_older_complete_run_counts_rather_than_a_newer_one_that_was_cut_short(
    write_foreign: Write, tree: Path
) -> None:
    short = {"train_losses": [2.0, 1.0], "test_losses": [2.0, 1.0]}
    write_foreign(folder="old", moment="2020-01-01-00-00-00")
    write_foreign(folder="new", moment="2021-01-01-00-00-00", **short)
    runs = by_folder(tree)
    assert runs["new"].superseded
    assert not runs["old"].superseded
    assert "cut_short" in kinds(runs["new"])


def test_a_diverged_run_is_complete(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="old", moment="2020-01-01-00-00-00")
    write_foreign(folder="new", moment="2021-01-01-00-00-00", train_losses=[2.0] * 5, test_losses=[2.0] * 5)
    assert by_folder(tree)["old"].superseded


def test_a_run_without_a_moment_is_older_than_any_with_one(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="a", moment="1990-01-01-00-00-00")
    write_foreign(folder="b", moment="2020-13-45-99-99-99")  # no date
    runs = by_folder(tree)
    assert runs["b"].moment is None
    assert runs["b"].superseded


@pytest.mark.parametrize(
    "change",
    [
        {"random_seed": 43},
        {"batch_size": 64},
        {"testproblem": "quadratic_deep"},
        {"optimizer_name": "AdamOptimizer"},
        {"optimizer_hyperparams": {"learning_rate": 0.2, "momentum": 0.99, "use_nesterov": False}},
        {"weight_decay": 0.5},
        {"training_params": {"lr_sched_epochs": [2], "lr_sched_factors": [0.5]}},
    ],
)
def test_runs_that_differ_in_anything_else_are_no_repeats(
    write_foreign: Write, tree: Path, change: dict[str, object]
) -> None:
    write_foreign(folder="a")
    write_foreign(folder="b", **change)
    assert not any(one.superseded for one in read_tree(tree).runs)


def test_one_setting_in_two_folders_is_one_setting(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="with_decay", weight_decay=0.0)
    write_foreign(folder="without_decay", random_seed=43)
    runs = read_tree(tree).runs
    assert len({one.run.setting for one in runs}) == 1
    assert [kinds(one) for one in runs] == [["split_setting"], ["split_setting"]]


def test_values_that_differ_beyond_the_11th_digit_are_one_setting_with_those_of_its_lowest_seed(
    write_foreign: Write, tree: Path
) -> None:
    """As in the published baselines, whose reruns got their learning rates typed from the names of folders."""
    for seed, rate in ((43, 0.00039810717055), (42, 0.00039810717055349735), (44, 0.00039810717055)):
        write_foreign(random_seed=seed, optimizer_hyperparams={"learning_rate": rate})
    runs = {one.run.seed: one for one in read_tree(tree).runs}
    assert {one.run.setting for one in runs.values()} == {'{"learning_rate":0.00039810717055349735}'}
    assert kinds(runs[42]) == []
    assert kinds(runs[43]) == kinds(runs[44]) == ["rounded_values"]


def test_values_that_differ_in_the_11th_digit_are_two_settings(write_foreign: Write, tree: Path) -> None:
    """In one folder too: a name says nothing."""
    for seed, rate in ((42, 1.2345678901), (43, 1.2345678902)):
        write_foreign(random_seed=seed, optimizer_hyperparams={"learning_rate": rate})
    runs = read_tree(tree).runs
    assert len({one.run.setting for one in runs}) == 2
    assert [kinds(one) for one in runs] == [[], []]


def test_accuracies_decide_on_an_unknown_problem_where_any_run_has_them(write_foreign: Write, tree: Path) -> None:
    none = dict.fromkeys(["train_accuracies", "valid_accuracies", "test_accuracies"], ...)
    write_foreign(folder="a", testproblem="one")
    write_foreign(folder="b", testproblem="one", **none)
    write_foreign(folder="c", testproblem="other", **none)
    runs = by_folder(tree)
    assert [(runs[name].run.metric, runs[name].run.goal) for name in "abc"] == [
        ("accuracy", "maximize"),
        ("accuracy", "maximize"),
        ("loss", "minimize"),
    ]


def test_accuracies_that_deepobs_dropped_are_noted_where_the_problem_has_them(write_foreign: Write, tree: Path) -> None:
    none = dict.fromkeys(["train_accuracies", "valid_accuracies", "test_accuracies"], ...)
    write_foreign(folder="a", **none)
    write_foreign(folder="b", testproblem="quadratic_deep", **none, test_losses=[353.4468, 99.0, 89.0, 88.0, 87.0])
    runs = by_folder(tree)
    assert kinds(runs["a"]) == ["accuracies_dropped"]
    assert kinds(runs["b"]) == []


def test_runs_whose_definitions_were_edited_in_between_are_noted(
    tree: Path, make_stored_spec: Callable[..., RunSpec], make_stored_result: Callable[..., RunResult]
) -> None:
    spec = make_stored_spec()
    model = spec.problem.model.model_copy(update={"arguments": {"width": 7}})
    edited = make_stored_spec(seed=43, problem=spec.problem.model_copy(update={"model": model}))
    for one in (spec, edited):
        (tree / f"{one.seed}.json").write_bytes(deepobs.write_json(make_stored_result(one)))
    assert [kinds(one) for one in read_tree(tree).runs] == [["mixed_specs"], ["mixed_specs"]]


@pytest.mark.parametrize(
    ("head", "twice"),
    [
        ("1.5, 1.5, 2.5, 2.5, 3.5", True),
        ("1.5,\n        1.5,\n        NaN,\n        NaN", True),
        ("1.5, 1.5, 2.5, 3.5", False),
        ("1.5, 1.5, 1.5, 1.5", False),
        ("1.5, 1.5", False),
        ("", False),
    ],
)
def test_minibatch_losses_that_were_logged_twice_are_noted(
    write_foreign: Write, tree: Path, head: str, twice: bool
) -> None:
    path = write_foreign()
    path.write_text(path.read_text().replace("[2.3, 1.5, 1.25, 1.0]", f"[{head}]"))
    assert kinds(read_tree(tree).runs[0]) == (["minibatch_twice"] if twice else [])


def test_a_repeated_key_is_noted_and_the_last_counts(write_foreign: Write, tree: Path) -> None:
    path = write_foreign()
    path.write_text(path.read_text().replace('"batch_size": 128', '"batch_size": 64, "batch_size": 256'))
    (one,) = read_tree(tree).runs
    assert one.run.batch_size == 256
    assert one.run.irregular == [("repeated_key", "batch_size")]


def test_nothing_is_taken_from_the_names_of_folders(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="cifar10_3c3d/AdamOptimizer/num_epochs__7__batch_size__3__learning_rate__9.e+00")
    (one,) = read_tree(tree).runs
    assert (one.run.problem, one.run.candidate, one.run.epochs) == ("fmnist_2c2d", "momentum", 4)
    assert json.loads(one.run.setting)["learning_rate"] == 0.1
