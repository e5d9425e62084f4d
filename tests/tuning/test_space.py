"""From a candidate and a setting to parts with every value chosen."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from regbench import catalog
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Choices, Coupling, Decay, Part, Problem, Range
from regbench.tuning import space

RATE = Range(low=1e-4, high=1.0, log=True, default=0.01)
CANDIDATE = Candidate(
    name="mine",
    summary="",
    source="",
    optimizer=Part(
        name="lookahead",
        arguments={
            "inner": Part(
                name="sgd",
                arguments={
                    "learning_rate": RATE,
                    "momentum": Range(low=1e-4, high=1.0, log=True, one_minus=True, default=0.99),
                    "nesterov": False,
                },
            ),
            "k": Range(low=1.0, high=19.0, integer=True, default=5),
            "rule": Choices(choices=("a", "b"), default="b"),
            "epsilon": 1e-8,
            "steps": 3,
            "stages": [1, 2],
        },
    ),
    regularizer=Part(name="l1", arguments={"factor": Range(log10=(-6.0, -1.0), default=1e-3)}),
    decay=Decay(coupling="decoupled", strength=Range(low=1e-4, high=1.0, log=True, default=0.1)),
)
DEFAULTS = {
    "optimizer.inner.learning_rate": 0.01,
    "optimizer.inner.momentum": 0.99,
    "optimizer.k": 5,
    "optimizer.rule": "b",
    "regularizer.factor": 1e-3,
    "decay.strength": 0.1,
}


def problem(l2=0.0):
    return Problem(
        name="toy",
        summary="",
        source="",
        dataset="toy",
        model=Part(name="toy"),
        loss="model_output",
        metric="loss",
        goal="minimize",
        chance=1.0,
        batch_size=1,
        epochs=1,
        l2=l2,
    )


def candidate_of(decay=None, **arguments):
    optimizer = Part(name="sgd", arguments=arguments)
    return Candidate(name="mine", summary="", source="", optimizer=optimizer, decay=decay or Decay())


def test_defaults_hold_every_searched_value_in_the_order_of_the_draws():
    defaults = space.defaults(CANDIDATE)
    assert defaults == DEFAULTS
    assert list(defaults) == list(CANDIDATE.searched())
    assert type(defaults["optimizer.k"]) is int


def test_missing_default_is_named():
    candidate = candidate_of(learning_rate=RATE, momentum=Range(low=0.0, high=1.0))
    with pytest.raises(DefinitionError, match=r"mine: `optimizer\.momentum` has no `default`"):
        space.defaults(candidate)


def test_default_of_an_integer_range_must_be_whole():
    with pytest.raises(DefinitionError, match=r"`optimizer\.k` must be whole. Received: default=2\.5"):
        space.defaults(candidate_of(k=Range(low=1.0, high=4.0, integer=True, default=2.5)))


def test_resolving_replaces_every_range_and_keeps_the_rest_in_order():
    optimizer, regularizer, decay = space.resolve(CANDIDATE, DEFAULTS, problem())
    assert optimizer == Part(
        name="lookahead",
        arguments={
            "inner": Part(name="sgd", arguments={"learning_rate": 0.01, "momentum": 0.99, "nesterov": False}),
            "k": 5,
            "rule": "b",
            "epsilon": 1e-8,
            "steps": 3,
            "stages": [1, 2],
        },
    )
    assert list(optimizer.arguments) == list(CANDIDATE.optimizer.arguments)
    assert regularizer == Part(name="l1", arguments={"factor": 1e-3})
    assert decay == Decay(coupling="decoupled", strength=0.1)


@pytest.mark.parametrize("l2", [0.0, 0.002])
def test_strength_of_the_problem_becomes_its_factor_and_keeps_the_coupling(l2):
    candidate = candidate_of(decay=Decay(coupling="l2", strength="problem"), learning_rate=0.1)
    optimizer, regularizer, decay = space.resolve(candidate, {}, problem(l2))
    assert (regularizer, decay.coupling, decay.strength) == (None, Coupling.L2, l2)
    assert optimizer == candidate.optimizer


@pytest.mark.parametrize("setting", [{}, {"decay.strength": 0.5}, {"decay.coupling": "decoupled"}])
def test_mask_of_a_decay_is_kept_whatever_else_of_it_is_set(setting):
    candidate = candidate_of(Decay(coupling=Coupling.L2, strength="problem", mask="all"))
    _, _, decay = space.resolve(candidate, {**space.defaults(candidate), **setting}, problem(0.25))
    assert decay.mask == "all"


def test_decay_that_is_switched_off_has_no_mask():
    candidate = candidate_of(Decay(coupling=Coupling.L2, strength=0.5, mask="all"))
    off = space.override(candidate, {"decay.coupling": "none", "decay.strength": 0.0})
    assert off.decay == Decay()


def test_mask_of_no_decay_is_refused():
    with pytest.raises(ValidationError, match="`mask` needs a `coupling` other than none"):
        Decay(mask="all")


def test_searched_value_without_a_value_is_named():
    setting = {name: value for name, value in DEFAULTS.items() if name != "decay.strength"}
    with pytest.raises(DefinitionError, match=r"`decay\.strength` is searched, and the setting gives it no value"):
        space.resolve(CANDIDATE, setting, problem())


def test_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"setting of mine: .*`optimizer\.inner\.lr`") as raised:
        space.check_setting(CANDIDATE, {"optimizer.inner.lr": 0.1})
    assert "optimizer.inner." in str(raised.value)
    with pytest.raises(UnknownNameError, match=r"Did you mean `optimizer\.inner\.momentum`"):
        space.check_setting(CANDIDATE, {"optimizer.momentum": 0.1})


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [
        ("optimizer.inner.learning_rate", "fast", "must be a finite number"),
        ("optimizer.inner.learning_rate", True, "must be a finite number"),
        ("optimizer.inner.learning_rate", math.nan, "must be a finite number"),
        ("optimizer.inner.nesterov", 1, "must be true or false"),
        ("optimizer.k", 2.0, "must be a whole number"),
        ("optimizer.rule", 1, "must be a string"),
        ("optimizer.steps", 1.5, "must be a whole number"),
        ("optimizer.stages", 1, "is a list, which only a candidate's file can set"),
        ("regularizer.factor", math.inf, "must be a finite number"),
        ("decay.strength", False, "must be a finite number or a string"),
        ("decay.coupling", 1.0, "must be a string"),
    ],
)
def test_value_of_the_wrong_type_is_refused_with_what_must_hold_and_what_came(name, value, must):
    with pytest.raises(DefinitionError) as raised:
        space.check_setting(CANDIDATE, {name: value})
    assert str(raised.value) == f"`{name}` {must}. Received: {value!r}"


def test_whole_number_becomes_a_float_where_a_float_is_due():
    setting = space.check_setting(CANDIDATE, {"optimizer.epsilon": 1, "decay.strength": 0, "optimizer.steps": 4})
    # 1 and 1.0 are equal, but not in the JSON from which the digest of a run is made.
    assert json.dumps(setting) == '{"optimizer.epsilon": 1.0, "decay.strength": 0.0, "optimizer.steps": 4}'


def test_whole_number_stays_whole_among_mixed_choices():
    candidate = candidate_of(size=Choices(choices=(1, 2.5)))
    assert json.dumps(space.check_setting(candidate, {"optimizer.size": 1})) == '{"optimizer.size": 1}'


def test_overriding_fixes_a_searched_value_and_changes_a_fixed_one():
    candidate = space.override(CANDIDATE, {"optimizer.inner.learning_rate": 3.0, "optimizer.inner.nesterov": True})
    assert list(candidate.searched()) == [name for name in DEFAULTS if name != "optimizer.inner.learning_rate"]
    inner = candidate.optimizer.arguments["inner"]
    assert (inner.arguments["learning_rate"], inner.arguments["nesterov"]) == (3.0, True)
    assert CANDIDATE.optimizer.arguments["inner"].arguments["nesterov"] is False


def test_overriding_with_nothing_changes_nothing():
    assert space.override(CANDIDATE, {}) == CANDIDATE


def test_decay_can_be_overridden():
    candidate = space.override(CANDIDATE, {"decay.coupling": "l2", "decay.strength": "problem"})
    assert candidate.decay == Decay(coupling="l2", strength="problem")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"decay.strength": -0.5}, "decay: `strength` must not be negative. Received: -0.5"),
        ({"decay.strength": "strong"}, "`decay.strength` must be a number or \"problem\". Received: 'strong'"),
        ({"decay.coupling": "none", "decay.strength": 0.1}, "decay: `strength` needs a `coupling` other than none"),
        ({"decay.coupling": "tight"}, "decay.coupling: Input should be 'none', 'l2'"),
    ],
)
def test_decay_that_does_not_hold_together_is_refused(setting, message):
    with pytest.raises(DefinitionError) as raised:
        space.override(CANDIDATE, setting)
    assert message in str(raised.value)


@given(st.floats(1e-4, 1.0), st.booleans())
def test_drawn_number_comes_back_from_its_hyperparameter(number, one_minus):
    searched = Range(low=1e-4, high=1.0, log=True, one_minus=one_minus)
    back = space.drawn(searched, space.value(searched, number))
    assert 1e-4 <= back <= 1.0
    # 1 - x is rounded to the spacing of numbers below 1; taking it from 1 again is exact.
    assert abs(back - number) <= (math.ulp(0.5) if one_minus else 0)


def test_whole_drawn_number_stays_whole():
    searched = Range(low=1.0, high=19.0, integer=True)
    assert (type(space.value(searched, 7.0)), type(space.drawn(searched, 7))) == (int, int)


def test_points_and_parts_need_no_heavy_package():
    code = "import sys, regbench.tuning.draws, regbench.tuning.space; print(*sys.modules)"
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert not {"optuna", "keras", "tensorflow", "pandas", "scipy"} & set(printed.stdout.split())


@pytest.mark.parametrize(
    ("regularizer", "setting", "said"),
    [
        ({"name": "eigenvalue_decay", "arguments": {"factor": 0.1}}, {}, {"warm_start": True}),
        ({"name": "eigenvalue_decay", "arguments": {"factor": 0.1, "warm_start": False}}, {}, {"warm_start": False}),
        ({"name": "eigenvalue_decay", "arguments": {"factor": 0.1, "differentiate_through": True}}, {}, {}),
        ({"name": "orthogonal", "arguments": {"factor": 0.1}}, {}, {}),
        (
            {"name": "orthogonal", "arguments": {"factor": 0.1, "form": "spectral_restricted_isometry_squared"}},
            {},
            {"gram": "smaller"},
        ),
        (
            {
                "name": "orthogonal",
                "arguments": {"factor": 0.1, "form": Choices(choices=("norm", "spectral_restricted_isometry"))},
            },
            {"regularizer.form": "spectral_restricted_isometry"},
            {"gram": "smaller"},
        ),
    ],
)
def test_run_says_what_its_regularizer_takes_for_granted_today_and_did_not_always(regularizer, setting, said):
    candidate = CANDIDATE.model_dump() | {"regularizer": regularizer, "optimizer": Part(name="sgd")}
    problem = catalog.problem("digits_mlp")
    _, resolved, _ = space.resolve(Candidate.model_validate(candidate | {"decay": Decay()}), setting, problem)
    later = {name: value for name, value in resolved.arguments.items() if name in ("warm_start", "gram")}
    assert later == said
