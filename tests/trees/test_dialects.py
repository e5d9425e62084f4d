"""The four dialects of result files, and ours, in one record."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from regbench import catalog
from regbench.records import Coupling, Decay, Outcome, Part, RunResult, RunSpec, Schedule, learning_rate_factor
from regbench.store import deepobs
from regbench.trees.content import parse
from regbench.trees.irregularities import NoRunError
from regbench.trees.problem_facts import KnownProblems
from regbench.trees.run_record import ReadRun, read_run
from regbench.trees.schedules import schedule_name

MakeTable = Callable[..., dict[str, Any]]


def read(table: dict[str, Any]) -> ReadRun:
    return read_run(parse(json.dumps(table).encode()), KnownProblems())


def kinds(run: ReadRun) -> list[str]:
    return [irregularity.kind for irregularity in run.irregular]


def test_a_file_of_deepobs_1_2_is_read(foreign_table: MakeTable) -> None:
    run = read(foreign_table())
    assert (run.dialect, run.problem, run.optimizer, run.candidate) == (
        "1.2",
        "fmnist_2c2d",
        "MomentumOptimizer",
        "momentum",
    )
    assert (run.coupling, run.decay, run.protocol, run.schedule) == ("none", 0.0, "deepobs", "none")
    assert (run.epochs, run.batch_size, run.seed) == (4, 128, 42)
    assert json.loads(run.setting) == {"learning_rate": 0.1, "momentum": 0.99, "use_nesterov": False}
    assert (run.outcome, run.outcome_inferred, run.metric, run.goal) == ("completed", True, "accuracy", "maximize")
    assert run.values["final_valid_loss"] == 0.5
    assert run.values["best_valid_loss"] == 0.4
    assert run.values["final_test_accuracy"] == 0.91
    assert run.values["best_test_accuracy"] == 0.93
    assert run.epochs_to_convergence == 3  # 0.919809 is reached by 0.93
    assert not run.loss_has_penalty
    assert run.irregular == []


@pytest.mark.parametrize(
    ("problem", "curves", "expected"),
    [
        # Performances of fmnist_2c2d and fmnist_vae: 0.919809 and 92.9776.
        ("fmnist_2c2d", {"test_accuracies": [0.1, 0.5, 0.7, 0.9, 0.91]}, 4 + 1),
        ("fmnist_2c2d", {"test_accuracies": [0.1, 0.5, 0.7, 0.9, 0.919809]}, 4),
        ("fmnist_2c2d", {"test_accuracies": [0.92, 0.5, 0.7, 0.9, 0.91]}, 0),
        ("fmnist_vae", {"test_losses": [250.0, 94.0, 93.0, 92.98, 92.978]}, 4 + 1),
        ("fmnist_vae", {"test_losses": [250.0, 94.0, 93.0, 92.9776, 95.0]}, 3),
    ],
)
def test_epochs_to_convergence_are_the_first_evaluation_that_reaches_it_and_one_more_than_all_where_none_does(
    foreign_table: MakeTable, problem: str, curves: dict[str, list[float]], expected: int
) -> None:
    assert read(foreign_table(testproblem=problem, **curves)).epochs_to_convergence == expected


def test_a_diverged_run_never_converged_and_of_one_that_was_cut_short_it_is_not_known(foreign_table: MakeTable) -> None:
    flat = {name: [2.3] * 5 for name in ("train_losses", "valid_losses", "test_losses")}
    run = read(foreign_table(**flat, test_accuracies=[0.1] * 5))
    assert (run.outcome, run.epochs_to_convergence) == ("diverged", 4 + 1)
    run = read(foreign_table(num_epochs=9))
    assert (run.outcome, run.epochs_to_convergence) == ("cut_short", 3)
    run = read(foreign_table(num_epochs=9, test_accuracies=[0.1, 0.5, 0.7, 0.8, 0.9]))
    assert run.outcome == "cut_short"
    assert math.isnan(run.epochs_to_convergence)


def test_a_file_of_deepobs_1_1_is_read(foreign_table: MakeTable, deepobs_1_1: dict[str, Any]) -> None:
    run = read(foreign_table(**deepobs_1_1, valid_losses=..., valid_accuracies=..., train_log_interval=1))
    assert (run.dialect, run.optimizer, run.candidate) == ("1.1", "AdamOptimizer", "adam")
    assert (run.protocol, run.schedule) == ("deepobs-1.1", "step 2:0.5")
    assert run.setting == '{"beta1":0.9,"learning_rate":0.25}'
    assert kinds(run) == ["no_validation"]


def test_a_flat_line_of_deepobs_1_1_is_no_divergence(foreign_table: MakeTable, deepobs_1_1: dict[str, Any]) -> None:
    """Only 1.2 fills curves: a rate of 0 trains nothing, and that is all."""
    flat = {name: [2.3] * 5 for name in ("train_losses", "test_losses")}
    assert read(foreign_table(**flat)).outcome == "diverged"
    run = read(foreign_table(**flat, **deepobs_1_1, valid_losses=..., valid_accuracies=...))
    assert (run.outcome, kinds(run)) == ("completed", ["no_validation"])


def test_a_file_of_crowded_valley_is_read(foreign_table: MakeTable) -> None:
    cosine = [(1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(1, 5)]
    schedule = {"lr_sched_epochs": [1, 2, 3, 4], "lr_sched_factors": cosine}
    run = read(foreign_table(testproblem="cifar10_3c3d", weight_decay=..., l2_reg=None, training_params=schedule))
    assert (run.dialect, run.protocol, run.schedule) == ("crowded_valley", "deepobs", "cosine")
    assert (run.coupling, run.decay) == ("l2", 0.002)
    assert json.loads(run.setting)["decay"] == 0.002
    assert run.loss_has_penalty


def test_a_file_of_nonlinear_weight_updates_is_read(foreign_table: MakeTable) -> None:
    run = read(
        foreign_table(
            testproblem="cifar10_3c3d_nodecay",
            optimizer_name="PowKernelMomentumOptimizerNW_momscaled",
            optimizer_hyperparams={"learning_rate": 0.01, "power": 0.7, "weight_decay_opt": 0.002},
        )
    )
    assert (run.dialect, run.problem) == ("nonlinear", "cifar10_3c3d")
    assert run.candidate == "power_nesterov_decoupled_momentum"
    assert (run.coupling, run.decay) == ("decoupled_momentum", 0.002)
    assert run.setting == '{"decay":0.002,"learning_rate":0.01,"power":0.7}'
    assert not run.loss_has_penalty


@pytest.mark.parametrize(
    ("optimizer", "hyperparameters", "candidate"),
    [
        ("GradientDescentOptimizer", {}, "sgd"),
        ("MomentumOptimizer", {"use_nesterov": True}, "nag"),
        ("NAGOptimizer", {"use_nesterov": True}, "nag"),
        ("PowKernelGradientDescentOptimizerW_scaled", {}, "power_sgd_decoupled"),
        ("PowKernelMomentumOptimizerW_momscaled", {}, "power_momentum_decoupled_momentum"),
        ("PowKernelMomentumOptimizerN", {}, "power_nesterov"),
        ("LookaheadOptimizerRAdam", {}, "lookahead_radam"),
        ("MyOptimizer", {}, "MyOptimizer"),
        ("MyOptimizerW_scaled", {}, "MyOptimizerW_scaled"),
    ],
)
def test_published_optimizers_are_our_candidates_and_others_keep_their_names(
    foreign_table: MakeTable, optimizer: str, hyperparameters: dict[str, Any], candidate: str
) -> None:
    assert read(foreign_table(optimizer_name=optimizer, optimizer_hyperparams=hyperparameters)).candidate == candidate


@pytest.mark.parametrize(
    ("problem", "factor", "hyperparameters", "coupling", "decay"),
    [
        ("cifar10_3c3d", None, {}, "l2", 0.002),
        ("cifar10_3c3d", 0.0, {}, "none", 0.0),
        ("cifar10_3c3d", 0.25, {}, "l2", 0.25),
        ("cifar10_3c3d_nodecay", None, {}, "none", 0.0),
        ("cifar100_allcnnc", None, {}, "l2", 0.0005),
        ("svhn_wrn164", None, {}, "l2", 0.0005),
        ("quadratic_deep", None, {}, "none", 0.0),
        ("tolstoi_char_rnn", None, {}, "none", 0.0),
        ("nobody_knows", None, {}, "unknown", math.nan),
        ("nobody_knows", 0.0, {}, "none", 0.0),
        ("quadratic_deep", None, {"weight_decay_opt": 0.5}, "decoupled", 0.5),
        ("quadratic_deep", None, {"weight_decay_opt": 0}, "none", 0.0),
        ("cifar10_3c3d", None, {"weight_decay_opt": 0.5}, "unknown", math.nan),
        ("quadratic_deep", None, {"weight_decay": 0.5}, "unknown", math.nan),
        ("quadratic_deep", None, {"decay": 0.9}, "none", 0.0),
    ],
)
def test_the_decay_is_what_the_file_says_or_the_problem_s_own(
    foreign_table: MakeTable,
    problem: str,
    factor: float | None,
    hyperparameters: dict[str, Any],
    coupling: str,
    decay: float,
) -> None:
    """For TensorFlow's RMSProp the hyperparameter `decay` is no weight decay."""
    run = read(foreign_table(testproblem=problem, weight_decay=factor, optimizer_hyperparams=hyperparameters))
    assert run.coupling == coupling
    assert run.decay == pytest.approx(decay, nan_ok=True, abs=0)
    assert run.loss_has_penalty == (coupling in ("l2", "unknown"))


ADAMW = {"lr": 0.001, "betas": [0.9, 0.999]}


@pytest.mark.parametrize(
    ("optimizer", "hyperparameters", "factor", "coupling", "decay"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.5}, None, "l2", 0.5),
        ("Adam", {"lr": 0.1, "weight_decay": 0.5}, 0.0, "l2", 0.5),
        ("Adam", {"lr": 0.1, "weight_decay": 0.5, "decoupled_weight_decay": True}, 0.0, "decoupled", 0.5),
        ("SGD", {"lr": 0.1, "weight_decay": 0.0}, None, "none", 0.0),
        ("SGD", {"lr": 0.1}, None, "none", 0.0),
        ("AdamW", ADAMW | {"weight_decay": 0.5}, None, "decoupled", 0.5),
        ("AdamW", ADAMW | {"weight_decay": 0}, None, "none", 0.0),
        ("AdamW", ADAMW, None, "decoupled", 0.01),  # PyTorch's default
        ("LBFGS", {"lr": 0.1}, None, "none", 0.0),
        ("SGD", {"lr": 0.1}, 0.25, "l2", 0.25),
        ("SGD", {"lr": 0.1, "weight_decay": 0.5}, 0.25, "unknown", math.nan),
        ("AdamW", ADAMW, 0.25, "unknown", math.nan),
        ("SGD", {"learning_rate": 0.1, "weight_decay": 0.5}, None, "unknown", math.nan),  # of whom?
        ("NobodysOptimizer", {"lr": 0.1, "weight_decay": 0.5}, None, "unknown", math.nan),
        ("NobodysOptimizer", {"lr": 0.1}, None, "none", 0.0),
    ],
)
@pytest.mark.parametrize("key", ["weight_decay", "l2_reg"])  # of DeepOBS, and of cockpit and others
def test_the_decay_of_an_optimizer_of_pytorch_is_what_it_is_there(
    foreign_table: MakeTable,
    optimizer: str,
    hyperparameters: dict[str, Any],
    factor: float | None,
    coupling: str,
    decay: float,
    key: str,
) -> None:
    factors = {"weight_decay": ..., key: factor}
    table = foreign_table(
        testproblem="quadratic_deep",
        optimizer_name=optimizer,
        optimizer_hyperparams=hyperparameters,
        training_params=...,
        **factors,
    )
    run = read(table)
    assert (run.optimizer, run.coupling) == (optimizer, coupling)
    assert run.decay == pytest.approx(decay, nan_ok=True, abs=0)
    # What the optimizer does by itself is no part of the loss.
    assert run.loss_has_penalty == (coupling == "unknown" or (coupling == "l2" and factor is not None and factor > 0))
    kept = {"weight_decay"} & hyperparameters.keys() if coupling == "unknown" else set()
    assert {"weight_decay"} & json.loads(run.setting).keys() == kept


def test_a_factor_of_0_and_none_at_all_are_one_setting(foreign_table: MakeTable) -> None:
    spellings = [foreign_table(weight_decay=factor) for factor in (None, 0.0, 0, ...)]
    assert len({(run.setting, run.coupling) for run in map(read, spellings)}) == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"b": 1.0, "a": 0.1}, '{"a":0.1,"b":1}'),
        ({"a": -0.0, "b": True, "c": None, "d": "x"}, '{"a":0,"b":true,"c":null,"d":"x"}'),
        ({"a": float("inf"), "b": [1.0, 2.5]}, '{"a":"inf","b":[1,2.5]}'),
        ({"a": {"z": 1, "y": 2.0}}, '{"a":{"y":2,"z":1}}'),
    ],
)
def test_a_setting_is_canonical_json(foreign_table: MakeTable, values: dict[str, Any], text: str) -> None:
    assert read(foreign_table(optimizer_hyperparams=values)).setting == text


def test_a_setting_keeps_the_name_decay_of_another_hyperparameter(foreign_table: MakeTable) -> None:
    table = foreign_table(weight_decay=0.5, optimizer_hyperparams={"decay": 0.9})
    assert read(table).setting == '{"decay":0.9,"decay.strength":0.5}'


OLD_TRAPEZOID = Schedule(name="ltr")


@pytest.mark.parametrize(
    "schedule", [*map(catalog.schedule, ("cosine", "cosine_wr", "ltr")), OLD_TRAPEZOID], ids=lambda one: one.title
)
@pytest.mark.parametrize("epochs", [50, 100, 160, 350])
def test_schedules_that_are_spelled_out_get_their_names(schedule: Schedule, epochs: int) -> None:
    factors = [learning_rate_factor(schedule, epoch, epochs) for epoch in range(1, epochs + 1)]
    assert schedule_name(list(range(1, epochs + 1)), factors, epochs) == schedule.title


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (catalog.schedule("ltr").model_dump(), "ltr"),
        (catalog.schedule("wsd").model_dump(), "wsd"),
        (catalog.schedule("wsd", warmup=0.1).model_dump(), "wsd 0.1"),
        ({"name": "ltr", "epochs": [], "factors": []}, "ltr of format version 1"),  # as it was written
    ],
)
def test_the_trapezoid_of_our_older_files_has_a_name_of_its_own(
    make_stored_result: Callable[..., RunResult],
    make_stored_spec: Callable[..., RunSpec],
    schedule: dict[str, Any],
    name: str,
) -> None:
    table = json.loads(deepobs.write_json(make_stored_result(make_stored_spec())))
    table["regbench"]["spec"]["schedule"] = schedule
    del table["regbench"]["checksum"]
    assert read(table).schedule == name


def test_the_published_trapezoid_is_ltr() -> None:
    """It comes down as 10/11, 9/11, ..., 1/11 from epoch 91 of 100 on."""
    factors = [epoch / 10 for epoch in range(1, 10)] + [1.0] * 81 + [(11 - step) / 11 for step in range(1, 11)]
    assert schedule_name(list(range(1, 101)), factors, 100) == "ltr"


@pytest.mark.parametrize(
    ("epochs", "factors", "name"),
    [
        ([], [], "none"),
        ([30, 60], [0.1, 0.01], "step 30:0.1 60:0.01"),
        ([30], [0.12345678901], "step 30:0.12345678901"),
    ],
)
def test_other_schedules_are_steps(epochs: list[int], factors: list[float], name: str) -> None:
    assert schedule_name(epochs, factors, 100) == name


def test_long_step_schedules_have_short_names_that_differ() -> None:
    epochs = list(range(1, 101))
    names = {schedule_name(epochs, [base**epoch for epoch in epochs], 100) for base in (0.99, 0.990000001)}
    assert len(names) == 2
    assert all(len(name) == len("step ") + 8 for name in names)


def test_a_run_of_ours_is_read(
    make_stored_result: Callable[..., RunResult], make_stored_spec: Callable[..., RunSpec]
) -> None:
    spec = make_stored_spec(
        decay=Decay(coupling=Coupling.L2, strength=0.25),
        epochs=2,
        schedule=Schedule(name="step", epochs=(1,), factors=(0.5,)),
        regularizer=Part(name="orthogonal", arguments={"factor": 0.5}),
    )
    result = make_stored_result(
        spec,
        curves={"train_losses": [9.0, 8.0, 7.0], "test_losses": [9.0, 8.0, 7.0], "test_accuracies": [0.1, 0.2, 0.3]}
        | {"minibatch_train_losses": [3.0, 2.0, 1.0, 0.5]},
        losses_without_penalty={"train_losses": [2.0, 1.0, 0.5], "test_losses": [2.0, 1.5, 1.25]},
    )
    run = read_run(parse(deepobs.write_json(result)), KnownProblems())
    assert (run.dialect, run.optimizer, run.candidate) == ("regbench", "power_momentum", "power_momentum")
    assert (run.coupling, run.decay, run.protocol, run.schedule) == ("l2", 0.25, "deepobs", "step 1:0.5")
    assert run.values["final_test_loss"] == 1.25
    assert run.values["final_train_loss"] == 0.5
    assert not run.loss_has_penalty
    assert json.loads(run.setting) == {
        "decay": 0.25,
        "learning_rate": 0.005342937261279,
        "momentum": 0.9,
        "power": 0.7,
        "regularizer.factor": 0.5,
    }
    assert (run.outcome, run.outcome_inferred) == ("completed", False)
    assert (run.training_seconds, run.step_seconds) == (20.0, 5.0)
    assert (run.digest, run.setting_digest) == (spec.digest(), spec.setting_digest())
    assert run.irregular == []


def test_a_decoupled_strength_of_ours_is_the_decay_of_the_setting(
    make_stored_result: Callable[..., RunResult], make_stored_spec: Callable[..., RunSpec]
) -> None:
    spec = make_stored_spec(decay=Decay(coupling=Coupling.DECOUPLED, strength=0.25))
    setting = json.loads(read_run(parse(deepobs.write_json(make_stored_result(spec))), KnownProblems()).setting)
    assert setting["decay"] == 0.25
    assert "decay.strength" not in setting


def test_a_decay_of_strength_0_is_none(
    make_stored_result: Callable[..., RunResult], make_stored_spec: Callable[..., RunSpec]
) -> None:
    """As for the published optimizers on a problem without L2 of its own."""
    spec = make_stored_spec(decay=Decay(coupling=Coupling.L2, strength=0.0))
    run = read_run(parse(deepobs.write_json(make_stored_result(spec, losses_without_penalty={}))), KnownProblems())
    assert (run.coupling, run.decay, run.loss_has_penalty) == ("none", 0.0, False)
    assert "decay" not in json.loads(run.setting)


def test_losses_with_a_penalty_that_cannot_be_taken_out_are_marked(
    make_stored_result: Callable[..., RunResult], make_stored_spec: Callable[..., RunSpec]
) -> None:
    spec = make_stored_spec(decay=Decay(coupling=Coupling.L2, strength=0.25))
    assert read_run(
        parse(deepobs.write_json(make_stored_result(spec, losses_without_penalty={}))), KnownProblems()
    ).loss_has_penalty


def test_our_outcome_is_believed(make_stored_result: Callable[..., RunResult]) -> None:
    flat = dict.fromkeys(["train_losses", "test_losses"], [2.5] * 101)
    result = make_stored_result(outcome=Outcome.DIVERGED, diverged_epoch=1, curves=flat, losses_without_penalty={})
    run = read_run(parse(deepobs.write_json(result)), KnownProblems())
    assert (run.outcome, run.outcome_inferred, run.diverged_epoch) == ("diverged", False, 1)
    assert kinds(run) == []


def test_a_problem_that_only_our_file_knows_has_its_metric_and_goal(
    make_stored_result: Callable[..., RunResult], make_stored_spec: Callable[..., RunSpec]
) -> None:
    spec = make_stored_spec(epochs=2)
    spec = spec.model_copy(update={"problem": spec.problem.model_copy(update={"name": "mine", "convergence": 0.25})})
    result = make_stored_result(spec, curves={"test_accuracies": [0.1, 0.2, 0.3]}, losses_without_penalty={})
    run = read_run(parse(deepobs.write_json(result)), KnownProblems())
    assert (run.metric, run.goal, run.epochs_to_convergence) == ("accuracy", "maximize", 2)


def test_keys_of_two_dialects_are_noted_and_the_newer_counts(foreign_table: MakeTable) -> None:
    run = read(foreign_table(optimizer="AdamOptimizer", l2_reg=0.0, weight_decay=0.5))
    assert (run.candidate, run.coupling) == ("momentum", "none")
    assert kinds(run) == ["two_dialects"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("testproblem", ..., "`testproblem` must be a name. Received: no such key"),
        ("testproblem", 3, "`testproblem` must be a name. Received: 3"),
        ("testproblem", "", "`testproblem` must have 1 to 255 characters. Received: 0"),
        ("optimizer_name", "x" * 256, "`optimizer_name` must have 1 to 255 characters. Received: 256"),
        ("optimizer_name", ..., "`optimizer_name` must be a name. Received: no such key"),
        ("optimizer_hyperparams", [1], "`optimizer_hyperparams` must be an object. Received: list"),
        ("optimizer_hyperparams", ..., "`hyperparams` must be an object. Received: no such key"),
        ("optimizer_hyperparams", {"x" * 10_000: 1}, "its hyperparameters must take at most 10000 characters"),
        ("num_epochs", 4.5, "`num_epochs` must be a whole number. Received: 4.5"),
        ("num_epochs", True, "`num_epochs` must be a whole number. Received: True"),
        ("num_epochs", -1, "`num_epochs` must be at least 0 and below 9223372036854775807"),
        ("batch_size", 0, "`batch_size` must be at least 1 and below 9223372036854775807"),
        ("random_seed", 2**64, "`random_seed` must be at least -9223372036854775807 and below 9223372036854775807"),
        ("weight_decay", "much", "`weight_decay` must be a number. Received: 'much'"),
        ("weight_decay", float("nan"), "`weight_decay` must be a finite number. Received: nan"),
        ("weight_decay", 10**400, f"`weight_decay` must be a finite number. Received: 1{'0' * 39}..."),
        ("training_params", [], "`training_params` must be an object. Received: list"),
        (
            "training_params",
            {"lr_sched_epochs": [1], "lr_sched_factors": []},
            "`lr_sched_epochs` and `lr_sched_factors` must be lists of as many numbers, or null",
        ),
        ("test_losses", {"a": 1}, "`test_losses` must be a list of numbers. Received: dict"),
        ("test_losses", 0, "`test_losses` must be a list of numbers. Received: int"),
        ("test_losses", [1.0, "2"], "`test_losses` must be a list of numbers. Received in it: str"),
        ("test_losses", [1.0, True], "`test_losses` must be a list of numbers. Received in it: bool"),
        ("regbench", None, "`regbench` must be an object. Received: None"),
        ("regbench", {}, "`format_version` must be 1. Received: None"),
    ],
)
def test_a_key_of_another_type_is_said_with_what_must_hold_and_what_came(
    foreign_table: MakeTable, key: str, value: object, message: str
) -> None:
    with pytest.raises(NoRunError) as caught:
        read(foreign_table(**{key: value}))
    assert caught.value.irregularity == ("not_a_result", message)
