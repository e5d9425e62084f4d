"""The content of a result file."""

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from regbench.errors import ResultsError
from regbench.records import Coupling, Decay, Outcome, Part, RunResult, RunSpec, Schedule
from regbench.store import deepobs

MakeSpec = Callable[..., RunSpec]
MakeResult = Callable[..., RunResult]
PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "published" / "nonlinear_weight_updates"


def test_result_comes_back_equal(make_stored_result: MakeResult) -> None:
    result = make_stored_result()
    assert deepobs.read(deepobs.write_json(result)) == result


def test_every_field_of_a_diverged_run_comes_back(make_stored_spec: MakeSpec, make_stored_result: MakeResult) -> None:
    spec = make_stored_spec(
        regularizer=Part(name="orthogonal", arguments={"factor": 0.1, "axes": [0, 1]}),
        decay=Decay(coupling=Coupling.DECOUPLED_MOMENTUM, strength=0.002),
        schedule=Schedule(name="step", epochs=(50, 75), factors=(0.1, 0.01)),
    )
    result = make_stored_result(
        spec,
        outcome=Outcome.DIVERGED,
        diverged_epoch=3,
        reason='the loss was inf in "step" 7\n',
        shrinkage=0.9375,
        final_weight_norm=None,
    )
    assert deepobs.read(deepobs.write_json(result)) == result


DECIDING = {"valid_accuracies": [0.5], "test_accuracies": [0.5]}


@pytest.mark.parametrize("outcome", ["completed", "diverged"])
@pytest.mark.parametrize("curves", [{}, {"valid_accuracies": [0.5]}, DECIDING | {"test_accuracies": []}])
def test_run_that_counts_without_the_curves_that_decide_is_refused(
    make_stored_result: MakeResult, curves: dict[str, list[float]], outcome: str
) -> None:
    data = deepobs.write_json(make_stored_result(curves=curves, outcome=Outcome(outcome)))
    with pytest.raises(ResultsError, match=r"^`valid_accuracies`, `test_accuracies` must hold values\. Received: no "):
        deepobs.read(data)


@pytest.mark.parametrize("shape", [[-1, -2], [0, 5], [2, 0], [1] * 100 + [2]])
def test_kernel_of_a_shape_that_no_array_has_is_refused(make_stored_result: MakeResult, shape: list[int]) -> None:
    table = json.loads(deepobs.write_json(make_stored_result()))
    table["regbench"]["kernels"] = {"conv": {"shape": shape, "float32": "AAAAAAAAAAA=" if all(shape) else ""}}
    with pytest.raises(ResultsError, match=r"^`kernels\.conv\.shape"):
        deepobs.read(json.dumps(table).encode())


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example([5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 2.2250738585072011e-308])
def test_floats_come_back_bit_for_bit(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult, values: list[float]
) -> None:
    optimizer = Part(name="sgd", arguments={f"value_{index}": value for index, value in enumerate(values)})
    curves = {"train_losses": values, "minibatch_train_losses": values}
    result = make_stored_result(make_stored_spec(optimizer=optimizer), curves=curves | DECIDING)
    back = deepobs.read(deepobs.write_json(result))
    for name in curves:
        assert [value.hex() for value in back.curves[name]] == [value.hex() for value in values]
    assert [value.hex() for value in back.spec.optimizer.arguments.values()] == [value.hex() for value in values]


def test_integers_floats_and_truth_values_stay_what_they_are(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    spec = make_stored_spec(
        optimizer=Part(name="x", arguments={"a": 1, "b": 1.0, "c": True, "d": "1", "e": [1, 1.0, False]})
    )
    arguments = deepobs.read(deepobs.write_json(make_stored_result(spec))).spec.optimizer.arguments
    assert [type(argument) for argument in arguments.values()] == [int, float, bool, str, list]
    assert [type(element) for element in arguments["e"]] == [int, float, bool]


def _holds_non_finite_curves(make_stored_result: MakeResult) -> bool:
    try:
        make_stored_result(curves={"train_losses": [math.nan]})
    except ValueError:
        return False
    return True


def test_nan_and_infinity_in_curves_stand_as_python_writes_them(make_stored_result: MakeResult) -> None:
    if not _holds_non_finite_curves(make_stored_result):
        pytest.skip("RunResult takes finite curves only")
    result = make_stored_result(curves={"train_losses": [1.0, math.nan, math.inf, -math.inf]} | DECIDING)
    data = deepobs.write_json(result)
    assert b'"train_losses": [1.0, NaN, Infinity, -Infinity]' in data
    back = deepobs.read(data).curves["train_losses"]
    assert repr(back) == "[1.0, nan, inf, -inf]"


@pytest.mark.parametrize("problem", ["quadratic_deep", "fmnist_2c2d"])
def test_keys_and_curve_lengths_are_those_of_published_files(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult, problem: str
) -> None:
    files = sorted((PUBLISHED / problem).glob("*/*/*.json"))
    if not files:
        pytest.skip(f"there are no published results at {PUBLISHED}")
    published = json.loads(files[0].read_bytes())
    spec = make_stored_spec(
        problem=make_stored_spec().problem.model_copy(
            update={"loss": "model_output", "metric": "loss", "goal": "minimize"}
            if "train_accuracies" not in published
            else {}
        )
    )
    ours = json.loads(deepobs.write_json(make_stored_result(spec)))
    assert list(ours) == [*published, "regbench"]
    for key in published:
        if key != "minibatch_train_losses" and isinstance(published[key], list):
            assert len(ours[key]) == len(published[key]), key
    assert ours["training_params"] == {"lr_sched_epochs": None, "lr_sched_factors": None}
    assert {"learning_rate", "power"} <= set(ours["optimizer_hyperparams"])
    assert set(published["optimizer_hyperparams"]) == {"learning_rate", "power"}


def test_without_validation_split_there_are_no_validation_curves(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult
) -> None:
    protocol = make_stored_spec().protocol.model_copy(update={"validation": False})
    table = json.loads(deepobs.write_json(make_stored_result(make_stored_spec(protocol=protocol))))
    assert [key for key in table if key.endswith(("_losses", "_accuracies"))] == [
        "train_losses",
        "test_losses",
        "train_accuracies",
        "test_accuracies",
        "minibatch_train_losses",
    ]


@pytest.mark.parametrize(
    ("decay", "factor"),
    [
        (Decay(), None),
        (Decay(coupling=Coupling.L2, strength=0.01), 0.01),
        (Decay(coupling=Coupling.DECOUPLED, strength=0.01), None),
    ],
)
def test_l2_factor_is_that_of_the_loss(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult, decay: Decay, factor: float | None
) -> None:
    assert json.loads(deepobs.write_json(make_stored_result(make_stored_spec(decay=decay))))["weight_decay"] == factor


def test_regbench_object_says_how_the_weights_decay(make_stored_spec: MakeSpec, make_stored_result: MakeResult) -> None:
    spec = make_stored_spec(decay=Decay(coupling=Coupling.DECOUPLED_CONSTANT, strength=0.002))
    ours = json.loads(deepobs.write_json(make_stored_result(spec)))["regbench"]
    assert ours["decay"] == {"coupling": "decoupled_constant", "strength": 0.002, "mask": "kernels"}
    masked = make_stored_spec(decay=Decay(coupling=Coupling.L2, strength=0.002, mask="kernels_without_embeddings"))
    assert json.loads(deepobs.write_json(make_stored_result(masked)))["regbench"]["decay"]["mask"] == masked.decay.mask
    assert (ours["format_version"], ours["digest"], ours["setting_digest"]) == (1, spec.digest(), spec.setting_digest())


def test_hyperparameters_are_flat_and_lose_none(make_stored_spec: MakeSpec) -> None:
    inner = Part(name="sgd", arguments={"momentum": 0.9, "learning_rate": 0.1, "k": 3})
    spec = make_stored_spec(
        optimizer=Part(name="lookahead", arguments={"inner": inner, "k": 5}),
        regularizer=Part(name="l1", arguments={"k": 7}),
        decay=Decay(coupling=Coupling.DECOUPLED, strength=0.01),
    )
    assert deepobs.hyperparameters(spec) == {
        "learning_rate": 0.1,
        "momentum": 0.9,
        "k": 5,
        "inner.k": 3,
        "regularizer.k": 7,
        "decay.strength": 0.01,
    }


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), {"lr_sched_epochs": None, "lr_sched_factors": None}),
        (
            Schedule(name="step", epochs=(50,), factors=(0.1,)),
            {"lr_sched_epochs": [50], "lr_sched_factors": [0.1]},
        ),
        (Schedule(name="cosine"), {"lr_sched_epochs": None, "lr_sched_factors": None, "lr_schedule": "cosine"}),
    ],
)
def test_schedule_stands_in_training_params(
    make_stored_spec: MakeSpec, make_stored_result: MakeResult, schedule: Schedule, expected: dict
) -> None:
    assert (
        json.loads(deepobs.write_json(make_stored_result(make_stored_spec(schedule=schedule))))["training_params"]
        == expected
    )


def test_unknown_curve_is_refused(make_stored_result: MakeResult) -> None:
    with pytest.raises(ResultsError, match=r"A curve must be one of .* Received: 'learning_rates'"):
        deepobs.write_json(make_stored_result(curves={"learning_rates": [0.1]}))


def test_digest_of_a_spec_is_pinned(make_stored_spec: MakeSpec) -> None:
    # A change here orphans every stored run: raise FORMAT_VERSION and say in the change log what happens to old files.
    spec = make_stored_spec()
    assert spec.digest() == "a50bb5282dc86b15c8497e00ff397eb26eb6b17b263a66f854f1b3c986dd806f"
    assert spec.setting_digest() == "74ea4623e1da9448f05e00372c2d91c524ac83c75f4f3cb18c685290f1153d07"


@pytest.mark.parametrize(
    "text", ['{"minibatch_train_losses": [1.0, 2', '{"minibatch_train_losses": [1.0]', "[]", "1", ""]
)
@pytest.mark.parametrize("minibatch", [True, False])
def test_what_is_no_whole_json_object_is_refused(text: str, minibatch: bool) -> None:
    with pytest.raises(ResultsError, match=r"not valid JSON|must hold a JSON object"):
        deepobs.load(text.encode(), minibatch=minibatch)


@given(data=st.binary(), minibatch=st.booleans())
@example(data=b"[" * 100_000, minibatch=True)
@example(data=b'{"regbench": ' * 100_000, minibatch=False)
@example(data=b"9" * 10_000, minibatch=True)
@example(data=b"\xff\xfe", minibatch=True)
def test_garbage_is_refused(data: bytes, minibatch: bool) -> None:
    with pytest.raises(ResultsError):
        deepobs.read(data, minibatch=minibatch)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\ud800", 10**4000]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
def test_a_damaged_file_gives_a_result_or_an_error_of_ours(make_stored_result: MakeResult, data: st.DataObject) -> None:
    table = json.loads(deepobs.write_json(make_stored_result()))
    place: Any = table
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(JSON_VALUES)
        break
    with contextlib.suppress(ResultsError):
        result = deepobs.read(json.dumps(table).encode())
        assert result.spec.digest() == table["regbench"]["digest"]


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_truncated_file_is_refused(make_stored_result: MakeResult, cut: int) -> None:
    data = deepobs.write_json(make_stored_result())
    for minibatch in (True, False):
        with pytest.raises(ResultsError, match="not valid JSON"):
            deepobs.read(data[:-cut], minibatch=minibatch)


def test_files_of_others_and_of_the_future_are_refused_with_the_reason(make_stored_result: MakeResult) -> None:
    table = json.loads(deepobs.write_json(make_stored_result()))
    with pytest.raises(ResultsError, match=r"`format_version` must be 1\. Received: 2"):
        deepobs.read(json.dumps(table | {"regbench": table["regbench"] | {"format_version": 2}}).encode())
    del table["regbench"]
    with pytest.raises(ResultsError, match="regbench did not write this file"):
        deepobs.read(json.dumps(table).encode())


def test_a_changed_spec_is_refused(make_stored_result: MakeResult) -> None:
    data = deepobs.write_json(make_stored_result())
    changed = data.replace(b'"power": 0.7', b'"power": 0.8')
    assert changed != data
    with pytest.raises(ResultsError, match="it is not what was written"):
        deepobs.read(changed)
    table = json.loads(changed)
    del table["regbench"]["checksum"]  # as in files of earlier versions
    with pytest.raises(ResultsError, match="`digest` must be the digest of `spec`"):
        deepobs.read(json.dumps(table).encode())


def test_the_message_names_the_key_that_does_not_fit(make_stored_result: MakeResult) -> None:
    table = json.loads(deepobs.write_json(make_stored_result()))
    table["train_losses"][3] = "low"
    with pytest.raises(ResultsError, match=r"`curves\.train_losses\.3` does not fit: .* number"):
        deepobs.read(json.dumps(table).encode())
