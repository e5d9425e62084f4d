"""What records accept, and what tells one run from another."""

import copy
import json
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.errors import DefinitionError
from regbench.records import (
    Candidate,
    Choices,
    Coupling,
    Decay,
    Kernel,
    Outcome,
    Part,
    Problem,
    Range,
    RunResult,
    RunSpec,
    Schedule,
    Selection,
)

PROBLEM = catalog.problem("digits_mlp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a range needs `low` and `high` (or `log10`)"),
        ({"low": 0.1}, "a range needs `low` and `high` (or `log10`)"),
        ({"low": 1.0, "high": 0.1}, "`low` must be below `high`. Received: low=1.0, high=0.1"),
        ({"low": 1.0, "high": 1.0}, "`low` must be below `high`. Received: low=1.0, high=1.0"),
        ({"low": 0.0, "high": 1.0, "log": True}, "`low` must be positive where `log` is true. Received: low=0.0"),
        ({"low": 0.5, "high": 3.0, "integer": True}, "an integer range needs whole ends. Received: low=0.5, high=3.0"),
        ({"log10": (0.0, -1.0)}, "`log10` must be two rising exponents. Received: log10=[0.0, -1.0]"),
        ({"log10": (-1.0, 0.0), "low": 0.1}, "`log10` stands instead of `low`, `high`, `log` and `integer`"),
        ({"log10": (-1.0, 0.0), "integer": True}, "`log10` stands instead of `low`, `high`, `log` and `integer`"),
        ({"low": float("nan"), "high": 1.0}, "finite"),
        ({"low": 0.1, "high": float("inf")}, "finite"),
        ({"low": "0.1", "high": 1.0}, "valid number"),
        ({"low": 0.1, "high": 1.0, "steps": 3}, "Extra inputs are not permitted"),
    ],
)
def test_range_that_does_not_hold_together_is_refused(arguments, message):
    with pytest.raises(ValidationError) as refused:
        Range(**arguments)
    assert message in str(refused.value)


def test_choices_need_a_choice_and_a_default_among_them():
    with pytest.raises(ValidationError, match="at least 1 item"):
        Choices(choices=())
    with pytest.raises(ValidationError, match=r"`default` must be one of \[0.4, 0.5\]. Received: default=0.6"):
        Choices(choices=(0.4, 0.5), default=0.6)
    assert Choices(choices=(0.4, 0.5), default=0.5).default == 0.5


@pytest.mark.parametrize("strength", [-0.1, Range(low=-1.0, high=1.0)])
def test_decay_must_not_be_negative(strength):
    with pytest.raises(ValidationError, match="`strength` must not be negative"):
        Decay(coupling=Coupling.L2, strength=strength)


@pytest.mark.parametrize("strength", [0.1, "problem", Range(low=0.1, high=1.0)])
def test_decay_without_coupling_has_no_strength(strength):
    with pytest.raises(ValidationError, match="`strength` needs a `coupling` other than none"):
        Decay(strength=strength)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cosine", "epochs": (1,), "factors": (0.1,)}, "epochs and factors belong to the schedule step"),
        ({"name": "step"}, "the schedule step needs epochs and factors"),
        ({"name": "step", "epochs": (1, 2), "factors": (0.1,)}, "as many factors as epochs"),
        ({"name": "step", "epochs": (2, 1), "factors": (0.1, 0.2)}, "epochs must be positive and rise"),
        ({"name": "step", "epochs": (1, 1), "factors": (0.1, 0.2)}, "epochs must be positive and rise"),
        ({"name": "step", "epochs": (0,), "factors": (0.1,)}, "epochs must be positive and rise"),
        ({"name": "step", "epochs": (1,), "factors": (-0.1,)}, "factors must not be negative"),
        ({"name": "linear"}, "Input should be 'none', 'cosine'"),
    ],
)
def test_schedule_that_does_not_hold_together_is_refused(arguments, message):
    with pytest.raises(ValidationError) as refused:
        Schedule(**arguments)
    assert message in str(refused.value)


def test_problem_whose_model_is_the_loss_has_no_accuracy():
    changes = PROBLEM.model_dump() | {"loss": "model_output"}
    with pytest.raises(ValidationError, match="`metric` must be loss where the loss is model_output"):
        Problem.model_validate(changes)
    assert not Problem.model_validate(changes | {"metric": "loss", "goal": "minimize"}).has_accuracy
    assert PROBLEM.has_accuracy


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 0},
        {"epochs": 0},
        {"epochs": 1.5},
        {"l2": -0.1},
        {"chance": float("nan")},
        {"goal": "max"},
        {"metric": "f3"},
        {"l2_on": "biases"},
        {"convergance": 0.9},
        {"selection": {"classes": (1,)}},
        {"selection": {"classes": (1, 1)}},
        {"selection": {"classes": (-1, 1)}},
        {"selection": {"train_per_class": 0}},
        {"selection": {"test_per_class": 0}},
        {"preprocessing": "scale"},
        {"augmentation": "mnist"},
    ],
)
def test_problem_with_a_wrong_value_is_refused(changes):
    with pytest.raises(ValidationError):
        Problem.model_validate(PROBLEM.model_dump() | changes)


RATE = Range(low=1e-4, high=1.0, log=True)
POWER = Choices(choices=(0.4, 0.5))


def test_searched_values_stand_in_the_order_of_the_file_with_dotted_names():
    inner = Part(name="sgd", arguments={"momentum": 0.9, "learning_rate": RATE})
    candidate = Candidate(
        name="mine",
        summary="",
        source="",
        decay=Decay(coupling=Coupling.DECOUPLED, strength=RATE),
        regularizer=Part(name="l1", arguments={"factor": RATE}),
        optimizer=Part(name="signed_power", arguments={"power": POWER, "inner_optimizer": inner, "epsilon": RATE}),
    )
    assert list(candidate.searched().items()) == [
        ("optimizer.power", POWER),
        ("optimizer.inner_optimizer.learning_rate", RATE),
        ("optimizer.epsilon", RATE),
        ("regularizer.factor", RATE),
        ("decay.strength", RATE),
    ]


def test_candidate_without_ranges_searches_nothing(make_candidate):
    decay = Decay(coupling=Coupling.L2, strength="problem")
    assert make_candidate("sgd", learning_rate=0.1, decay=decay).searched() == {}


@pytest.fixture
def spec(make_task, make_candidate):
    """A run in which everything that can be set is set."""
    inner = Part(name="sgd", arguments={"learning_rate": 0.1, "momentum": 0.9})
    candidate = make_candidate(
        "signed_power",
        inner_optimizer=inner,
        power=0.5,
        regularizer=Part(name="l1", arguments={"l1": 0.1}),
        decay=Decay(coupling=Coupling.DECOUPLED, strength=0.5),
    )
    problem = PROBLEM.model_copy(update={"l2": 0.1, "convergence": 0.9, "optimum": 0.99})
    schedule = Schedule(name="step", epochs=(1,), factors=(0.5,))
    return make_task(problem, candidate, schedule=schedule).spec({}, seed=42)


def leaves(tree, path=()):
    """The dotted names of all plain values in nested tables."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def replaced(tree, path, value):
    tree = copy.deepcopy(tree)
    table = tree
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return tree


OTHER = {
    ("problem", "loss"): "model_output",
    ("problem", "metric"): "loss",
    ("problem", "metrics"): ["f1"],
    ("problem", "goal"): "minimize",
    ("problem", "class_weights"): "balanced",
    ("problem", "l2_on"): "convolution_kernels",
    ("problem", "selection"): {"classes": [1, 2]},
    ("problem", "preprocessing"): "unit",
    ("problem", "augmentation"): "cifar",
    ("decay", "coupling"): "decoupled_constant",
    ("decay", "mask"): "all",
    ("schedule", "epochs"): [2],
    ("schedule", "factors"): [0.25],
}
CANNOT_CHANGE_A_CURVE = {
    ("problem", key)
    for key in (
        "summary",
        "source",
        "metric",
        "metrics",
        "goal",
        "chance",
        "batch_size",
        "epochs",
        "l2",
        "convergence",
        "optimum",
    )
} | {("protocol", key) for key in ("summary", "reruns", "tuning_seed_counts")}
CANNOT_CHANGE_A_CURVE |= {("protocol", "fills_diverged")}  # but after a divergence, where it tells nothing
FIXED_BY_OTHERS = {("schedule", "name")}  # the other schedules have neither epochs nor factors


def other_value(value):
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2
        case list():
            return [*value, 16]
        case _:
            return f"{value}_other"


def test_digest_changes_with_everything_that_can_change_a_curve_and_with_nothing_else(spec):
    tree = spec.model_dump(mode="json", exclude={"setting"})
    changing = set()
    tried = set(leaves(tree)) - FIXED_BY_OTHERS
    for path in tried:
        value = tree
        for key in path:
            value = value[key]
        other = replaced(tree, path, OTHER.get(path, other_value(value)))
        if path == ("problem", "loss"):
            other["problem"]["metric"] = "loss"  # which the loss demands
        changed = RunSpec.model_validate_json(json.dumps(other | {"setting": {}}))
        if changed.digest() != spec.digest():
            changing.add(path)
    assert tried - changing == CANNOT_CHANGE_A_CURVE


def test_digest_changes_with_the_schedule_and_with_a_value_more(make_task):
    digests = {
        make_task(schedule=name, epochs=epochs).spec({"optimizer.learning_rate": 0.1}, 42).digest()
        for name in ("none", "cosine", "cosine_wr", "ltr")
        for epochs in (1, 2)
    }
    assert len(digests) == 8


def test_trapezoid_of_version_1_keeps_its_digest_and_is_only_read(make_task):
    spec = make_task(schedule="ltr").spec({"optimizer.learning_rate": 0.1}, 42)
    old = spec.model_copy(update={"schedule": Schedule(name="ltr")})
    assert old.identity()["schedule"] == {"name": "ltr", "epochs": [], "factors": []}
    assert old.digest() != spec.digest()
    with pytest.raises(DefinitionError, match=r"`schedule` must be .* Received: Schedule\(name='ltr'"):
        Task.of("digits_mlp", "sgd", schedule=Schedule(name="ltr"))


def test_digest_does_not_know_by_which_way_a_value_was_set(make_task, make_candidate):
    searched = make_task(candidate=make_candidate("sgd", learning_rate=RATE)).spec({"optimizer.learning_rate": 0.1}, 42)
    fixed = make_task(candidate=make_candidate("sgd", learning_rate=0.1)).spec({}, 42)
    assert searched.setting != fixed.setting
    assert searched.digest() == fixed.digest()


def test_digest_of_a_setting_leaves_out_the_seed_alone(spec):
    other_seed = spec.model_copy(update={"seed": 43})
    assert other_seed.digest() != spec.digest()
    assert other_seed.setting_digest() == spec.setting_digest()
    assert spec.model_copy(update={"epochs": 4}).setting_digest() != spec.setting_digest()


def test_digest_does_not_depend_on_the_order_of_arguments(make_task, make_candidate):
    one = make_task(candidate=make_candidate("sgd", learning_rate=0.1, momentum=0.9)).spec({}, 42)
    other = make_task(candidate=make_candidate("sgd", momentum=0.9, learning_rate=0.1)).spec({}, 42)
    assert one.digest() == other.digest()


def test_spec_survives_json_and_pickle(spec):
    by_json = RunSpec.model_validate_json(spec.model_dump_json())
    by_pickle = pickle.loads(pickle.dumps(spec))  # noqa: S301  our own bytes
    assert by_json == by_pickle == spec
    assert by_json.digest() == by_pickle.digest() == spec.digest()


def test_run_has_every_value_chosen(spec):
    tree = spec.model_dump()
    with pytest.raises(ValidationError, match=r"`optimizer\.power` must have one value in a run"):
        RunSpec.model_validate(tree | {"optimizer": Part(name="x", arguments={"power": POWER})})
    for strength in ("problem", RATE):
        with pytest.raises(ValidationError, match=r"`decay\.strength` must be a number in a run"):
            RunSpec.model_validate(tree | {"decay": Decay(coupling=Coupling.L2, strength=strength)})


def test_score_is_the_final_metric_on_the_split_by_which_the_protocol_chooses(make_task, make_result):
    setting = {"optimizer.learning_rate": 0.1}
    values = {"valid_accuracies": 0.7, "test_accuracies": 0.8, "valid_losses": 1.7, "test_losses": 1.8}
    losses = PROBLEM.model_copy(update={"metric": "loss", "goal": "minimize"})
    for problem, protocol, score in (
        (PROBLEM, "deepobs", 0.7),
        (PROBLEM, "strict", 0.7),
        (PROBLEM, "deepobs-1.1", 0.8),
        (losses, "deepobs", 1.7),
        (losses, "deepobs-1.1", 1.8),
    ):
        spec = make_task(problem, protocol=protocol).spec(setting, 42)
        assert make_result(spec, **values).score() == score
        assert make_result(spec, Outcome.DIVERGED, **values).score() == problem.chance


def test_results_may_hold_what_overflowed_and_definitions_may_not(spec, make_result):
    result = make_result(spec, test_losses=float("inf"), train_losses=float("nan"))
    assert result.curves["test_losses"][-1] == float("inf")
    with pytest.raises(ValidationError, match="finite"):
        RunResult.model_validate(result.model_dump() | {"final_weight_norm": float("nan")})


def test_keys_that_problems_got_later_leave_the_digests_of_older_runs_as_they_were(spec):
    identity = spec.identity()["problem"]
    assert not {"selection", "preprocessing", "augmentation"} & set(identity)
    later = spec.problem.model_copy(update={"selection": Selection(classes=(1, 2)), "preprocessing": "unit"})
    identity = spec.model_copy(update={"problem": later}).identity()["problem"]
    assert identity["selection"] == {"classes": [1, 2], "train_per_class": None, "test_per_class": None}
    assert identity["preprocessing"] == "unit"


def test_kernel_survives_json(spec, make_result):
    array = np.random.default_rng(0).normal(size=(5, 5, 2, 3)).astype(np.float32)
    array[0, 0, 0] = [np.nan, np.inf, -0.0]
    result = make_result(spec).model_copy(update={"kernels": {"convolution_1": Kernel.from_array(array)}})
    again = RunResult.model_validate_json(result.model_dump_json())
    np.testing.assert_array_equal(again.kernels["convolution_1"].array(), array)
    assert again.kernels["convolution_1"].array().dtype == np.float32


def test_kernel_whose_entries_do_not_fill_its_shape_is_refused():
    kernel = Kernel.from_array(np.ones((2, 3), np.float32))
    with pytest.raises(ValidationError, match=r"`float32` must hold 32 bytes\. Received: 24"):
        Kernel(shape=(2, 4), float32=kernel.float32)


def test_records_are_frozen(spec):
    with pytest.raises(ValidationError, match="frozen"):
        spec.seed = 43
