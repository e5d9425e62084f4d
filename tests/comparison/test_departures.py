"""Runs of studies that hold errors: named, apart, and nothing is claimed of them (made trees in DeepOBS's format)."""

import json

import numpy as np
import pytest

import regbench
from regbench import catalog
from regbench.records import Schedule, learning_rate_factor
from regbench.store.folder import Folder

SGD, MOMENTUM = "GradientDescentOptimizer", "MomentumOptimizer"
EPOCHS = 20
RATES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08)


@pytest.fixture
def write(tmp_path):
    """Write a search of eight trials, of which the first wins and has nine further seeds; gives its tree."""

    def write_search(tree, name, optimizer, final, *, settings=None, before=353.4468, **changes):
        for number, values in enumerate(settings or [{"learning_rate": rate} for rate in RATES]):
            for seed in range(42, 42 if number else 52) or [42]:
                value = final + number / 10 + seed % 7 / 100
                curve = [before, *[before / 2] * (EPOCHS - 1), value]
                table = {
                    **{"testproblem": "quadratic_deep", "batch_size": 128, "num_epochs": EPOCHS, "random_seed": seed},
                    **{"l2_reg": None, "optimizer_name": optimizer, "optimizer_hyperparams": values},
                    **{"training_params": {}, "train_losses": curve, "valid_losses": curve, "test_losses": curve},
                    **changes,
                }
                path = tmp_path / tree / name / str(number) / f"random_seed__{seed}__2020-01-01-00-00-00.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(table))
        return tmp_path / tree

    return write_search


def rows(comparison):
    return comparison.table.set_index("label")


def is_claimed(comparison):
    return comparison.claims_of("all")["claimed"].any()


def test_claims_are_made_of_what_is_in_order(write):
    write("tree", "a", SGD, 88.0)
    assert is_claimed(regbench.compare(results=[write("tree", "b", MOMENTUM, 98.0)], baselines="none"))


def test_runs_on_another_instance_are_named_and_apart(write):
    write("tree", "own", SGD, 88.0)
    comparison = regbench.compare(results=[write("tree", "other", SGD, 78.0, before=263.7986)], baselines="none")
    table = rows(comparison)
    assert table["instance"].to_dict() == {"sgd · instance 0": "", "sgd · instance 4": "4"}
    assert table["comparable"].to_dict() == {"sgd · instance 0": True, "sgd · instance 4": False}
    assert table.loc["sgd · instance 4", "note"].startswith("not ranked: instance 4 (ranked: 0)")
    told = "quadratic_deep: 17 runs on another Hessian than the problem's (instance 4: 17 runs); apart"
    assert any(line.startswith(told) for line in comparison.warnings)
    assert not is_claimed(comparison)


def test_nothing_is_claimed_between_candidates_on_the_same_other_instance(write):
    write("tree", "a", SGD, 88.0, before=263.7986)
    comparison = regbench.compare(results=[write("tree", "b", MOMENTUM, 98.0, before=263.7986)], baselines="none")
    assert not comparison.table["comparable"].any()
    assert set(comparison.table["note"]) == {"not ranked: instance 4, another problem"}
    assert not is_claimed(comparison)


def accuracies(valid, test, train):
    return {f"{split}_accuracies": [0.1] * EPOCHS + [value] for split, value in
            (("valid", valid), ("test", test), ("train", train))}  # fmt: skip


def test_winners_of_leaking_validation_are_marked_and_claim_nothing(write):
    cifar = {"testproblem": "cifar10_3c3d", "before": 3.6}
    write("tree", "a", SGD, 0.5, **cifar, **accuracies(0.91, 0.70, 0.89))
    tree = write("tree", "b", MOMENTUM, 0.5, **cifar, **accuracies(0.92, 0.82, 0.89))
    comparison = regbench.compare(results=[tree], baselines="none")
    assert comparison.table["comparable"].all()
    assert comparison.table["note"].str.contains("winner chosen by validation that overlaps training").all()
    reasons = set(comparison.claims_of("all")["reason"])
    assert reasons == {"winners were chosen by validation that overlaps training"}
    told = "validation overlaps training in 34 runs (median final accuracy of 34 completed: validation 0.915, test 0.76"
    (line,) = [line for line in comparison.warnings if "overlaps training" in line]
    assert told in line
    assert "and chose the winners of momentum, sgd;" in line


def test_leaking_validation_is_apart_from_validation_that_was_held_out(write, tmp_path, make_task, make_result):
    cifar = {"testproblem": "cifar10_3c3d", "before": 3.6}
    tree = write("tree", "a", SGD, 0.5, **cifar, **accuracies(0.91, 0.80, 0.89))
    spec = make_task("cifar10_3c3d", "sgd", epochs=EPOCHS).spec({"optimizer.learning_rate": 0.1}, 42)
    values = {f"{split}_{name}": 0.5 for split in ("train", "valid", "test") for name in ("losses", "accuracies")}
    Folder(tmp_path / "ours").write(make_result(spec, **values))
    table = rows(regbench.compare(results=[tree, tmp_path / "ours"], baselines="none"))
    assert table["comparable"].sum() == 1
    assert table["note"].str.contains(r"validation as the protocol says \(ranked: overlapping training\)").sum() == 1


@pytest.mark.parametrize(("mode", "rate"), [("final", 0.02), ("test", 0.03), ("train", 0.01)])
def test_mode_chooses_by_another_split(write, mode, rate):
    for number, finals in enumerate([(0.1, 0.2, 0.9), (0.9, 0.1, 0.2), (0.2, 0.9, 0.1)]):
        settings = [{"learning_rate": RATES[number]}]
        changes = {"testproblem": "cifar10_3c3d", "before": 3.6, "settings": settings}
        tree = write("tree", str(number), SGD, 0.5, **changes, **accuracies(*finals))
    comparison = regbench.compare(results=[tree], baselines="none", mode=mode)
    assert [setting["learning_rate"] for setting in comparison.table["setting"]] == [rate]
    assert not is_claimed(comparison)


def of_release(release):
    """The first trials of Crowded Valley's momentum."""
    shares = np.random.RandomState(42).uniform(size=(len(RATES), 2))
    momentum = {"2020": lambda share: 10 ** (3 * share - 3), "2021": lambda share: 1 - 10 ** (4 * share - 4)}[release]
    return [{"learning_rate": 10 ** (4 * rate - 4), "momentum": momentum(share)} for rate, share in shares]


def test_of_groups_of_one_size_that_with_validation_in_order_is_ranked(write):
    cifar = {"testproblem": "cifar10_3c3d", "before": 3.6}
    leaking = accuracies(0.91, 0.80, 0.89)
    write("tree", "a", SGD, 0.5, **cifar, **leaking)
    of_1_1 = {"valid_losses": None, "converted_from": "1.1"}
    tree = write("tree", "b", SGD, 0.5, **cifar, **leaking | {"valid_accuracies": None}, **of_1_1)
    table = regbench.compare(results=[tree], baselines="none").table
    assert table.loc[table["comparable"], "protocol"].tolist() == ["deepobs-1.1"]
    assert "validation overlapping training (ranked: as the protocol says)" in table["note"].iloc[1]


def test_two_releases_in_one_tree_are_two_entries_of_which_nothing_is_claimed(write):
    write("tree", "2020", MOMENTUM, 88.0, settings=of_release("2020"))
    write("tree", "2021", MOMENTUM, 98.0, settings=of_release("2021"))
    comparison = regbench.compare(results=[write("tree", "sgd", SGD, 93.0)], baselines="none")
    table = rows(comparison)
    assert sorted(table.index) == ["momentum · space of 2020", "momentum · space of 2021", "sgd"]
    assert set(table["n_seeds"]) == {10}
    (apart,) = table.index[~table["comparable"]]
    assert table.loc[apart, "note"] == "not ranked: space 2020 (ranked: 2021)"
    assert not comparison.claims_of("all")["better"].isin([apart]).any()


def test_trapezoids_of_both_kinds_are_apart(write):
    epochs = list(range(1, EPOCHS + 1))
    for name, schedule in (("new", catalog.schedule("ltr")), ("old", Schedule(name="ltr"))):
        factors = [learning_rate_factor(schedule, epoch, EPOCHS) for epoch in epochs]
        parameters = {"lr_sched_epochs": epochs, "lr_sched_factors": factors}
        tree = write("tree", name, SGD, 88.0 if name == "old" else 98.0, training_params=parameters)
    comparison = regbench.compare(results=[tree], baselines="none")
    table = rows(comparison)
    assert set(table.index) == {"sgd · ltr", "sgd · ltr of format version 1"}
    assert table["comparable"].sum() == 1
    assert "schedule ltr" in " ".join(table["note"])
    assert not is_claimed(comparison)
