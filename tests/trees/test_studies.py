"""What is wrong with studies, as their runs tell: other instances of a problem, leaking validation, two spaces."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regbench import catalog
from regbench.datasets import quadratic
from regbench.models.quadratic import hessians
from regbench.trees import frames
from regbench.trees.crowded_valley import space_of
from regbench.trees.instances import TEST_LOSSES, instance_of
from regbench.trees.lint import lint
from regbench.tuning import draws

Write = Callable[..., Path]


def losses(first: float) -> dict[str, list[float]]:
    return {f"{split}_losses": [first, 99.0, 89.0, 88.0, 87.0] for split in ("train", "valid", "test")}


QUADRATIC: dict[str, Any] = {
    "testproblem": "quadratic_deep",
    "optimizer_name": "GradientDescentOptimizer",
    "optimizer_hyperparams": {"learning_rate": 0.01},
    "train_accuracies": ...,
    "valid_accuracies": ...,
    "test_accuracies": ...,
}


def test_losses_in_the_table_are_those_of_the_instances() -> None:
    """Evaluated as DeepOBS does: 7 batches of 128, parameters of 1."""
    test = quadratic.read(quadratic.DATASET, Path()).test_inputs[:896].astype(float)
    for hessian, loss in zip(itertools.islice(hessians(), 5), TEST_LOSSES, strict=False):
        assert np.einsum("ni,ij,nj->n", 1 - test, hessian, 1 - test).mean() / 2 == pytest.approx(loss, abs=1e-3)
    assert [TEST_LOSSES[number] for number in (0, 1, 4, 28)] == [353.4468, 347.3582, 263.7986, 311.1048]


def test_no_two_instances_can_be_taken_for_each_other() -> None:
    assert np.diff(sorted(TEST_LOSSES)).min() > 4 * 0.01


@pytest.mark.parametrize(
    ("problem", "batch_size", "loss", "instance"),
    [
        ("quadratic_deep", 128, 353.44676, ""),
        ("quadratic_deep", 128, 263.7986, "4"),
        ("quadratic_deep", 128, 353.0, "unknown"),
        ("quadratic_deep", 64, 263.7986, ""),  # evaluated on other samples
        ("fmnist_vae", 128, 263.7986, ""),
        ("quadratic_deep", 128, float("nan"), ""),
    ],
)
def test_loss_before_training_tells_the_instance(problem: str, batch_size: int, loss: float, instance: str) -> None:
    assert instance_of(problem, batch_size, {"test_loss": [loss, 90.0]}) == instance


def test_runs_of_two_instances_are_two_settings_and_named(write_foreign: Write, tree: Path) -> None:
    """Of the same setting and seed, so that else the newer one would supersede the older."""
    write_foreign(**QUADRATIC, **losses(353.4468))
    write_foreign(moment="2021-01-02-03-04-05", **QUADRATIC, **losses(263.7986))
    runs = frames.load(tree).runs
    assert sorted(runs["instance"]) == ["", "4"]
    assert not runs["superseded"].any()
    ((_, irregularity),) = lint(tree).found
    told = "instance 4: test loss before training 263.7986, that of the problem is 353.4468"
    assert irregularity == ("other_instance", told)


@pytest.mark.parametrize("problem", ["cifar10_3c3d", "cifar10_vgg16", "svhn_wrn164_nodecay"])
def test_validation_of_deepobs_1_2_overlaps_training_where_the_data_are_several_files(
    write_foreign: Write, tree: Path, problem: str
) -> None:
    write_foreign(testproblem=problem)
    ((_, irregularity),) = lint(tree).found
    told = "final accuracy: validation 0.900, test 0.910, train-evaluation 0.950"
    assert irregularity == ("validation_overlaps_training", told)


def test_no_other_validation_leaks(write_foreign: Write, tree: Path, deepobs_1_1: dict[str, Any]) -> None:
    write_foreign(folder="a", testproblem="cifar100_allcnnc")
    write_foreign(folder="b", testproblem="cifar10_3c3d", **deepobs_1_1)
    write_foreign(folder="c", testproblem="cifar10_3c3d", valid_losses=..., valid_accuracies=...)
    assert "validation_overlaps_training" not in lint(tree).counts


def test_our_first_trials_are_those_of_the_release_of_2021() -> None:
    for candidate, name, key in (
        ("momentum", "optimizer.momentum", "momentum"),
        ("rmsprop", "optimizer.rho", "decay"),
        ("lookahead_momentum", "optimizer.inner_optimizer.momentum", "momentum"),
    ):
        points = draws.points(catalog.candidate(candidate), 42, 50)
        rate = name.rpartition(".")[0] + ".learning_rate"
        spaces = [space_of(candidate, {"learning_rate": point[rate], key: point[name]}) for point in points]
        assert spaces == ["2021"] * 50


def of_release(momentum: float, **changes: Any) -> dict[str, Any]:
    """Trial 0 of Crowded Valley's momentum."""
    rate = draws.points(catalog.candidate("momentum"), 42, 1)[0]["optimizer.learning_rate"]
    values = {"learning_rate": rate, "momentum": momentum, "use_nesterov": False}
    return {"weight_decay": ..., "l2_reg": None, "optimizer_hyperparams": values} | changes


FIRST_MOMENTUM = {"2020": 10 ** (3 * 0.9507143064162014 - 3), "2021": 0.3648778989359307}


def test_two_releases_are_told_apart_by_their_draws(write_foreign: Write, tree: Path) -> None:
    assert FIRST_MOMENTUM["2020"] == pytest.approx(0.711448, abs=1e-6)
    for release, momentum in FIRST_MOMENTUM.items():
        write_foreign(folder=release, **of_release(momentum))
    runs = frames.load(tree).runs.set_index("file")
    assert [file.split("/")[0] for file in runs.index] == list(runs["release"]) == ["2020", "2021"]
    assert list(lint(tree).counts) == ["space_of_2020", "space_of_2021"]


def test_values_that_are_in_neither_space_go_with_those_of_their_search(write_foreign: Write, tree: Path) -> None:
    """As the trials from 51 on, whose ranges differ by problem."""
    write_foreign(folder="a", **of_release(FIRST_MOMENTUM["2020"]))
    write_foreign(folder="b", **of_release(0.5))
    write_foreign(folder="c", optimizer_hyperparams={"learning_rate": 0.1, "momentum": 0.5})  # of 1.2
    assert list(frames.load(tree).runs["release"]) == ["2020", "2020", ""]


def test_candidate_that_both_releases_draw_alike_has_no_space(write_foreign: Write, tree: Path) -> None:
    rate = {"learning_rate": 0.00314891164795686}
    write_foreign(optimizer_name="GradientDescentOptimizer", weight_decay=..., l2_reg=None, optimizer_hyperparams=rate)
    (run,) = frames.load(tree).runs.itertuples()
    assert (run.dialect, run.release) == ("crowded_valley", "")
    assert json.loads(run.setting) == rate
