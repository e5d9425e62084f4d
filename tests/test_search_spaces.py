"""The bundled candidates."""

import math

import keras
import numpy as np
import pytest

from regbench import catalog
from regbench.records import Candidate, Decay
from regbench.tuning import draws, space

CROWDED_VALLEY = ["sgd", "momentum", "nag", "adam", "nadam", "amsgrad", "rmsprop", "adagrad", "adadelta"]


def uniform_exponent(low, high):
    return lambda fraction: 10 ** (low + (high - low) * fraction)


def distance_to_one(fraction):
    return 1 - 10 ** (-4 + 4 * fraction)


# Schmidt, Schneider and Hennig 2021, as functions of numbers uniform in [0, 1), in the order of the draws.
RATE = {"learning_rate": uniform_exponent(-4, 0)}
MOMENTUM = RATE | {"momentum": distance_to_one}
RHO = RATE | {"rho": distance_to_one}
BETAS = RATE | {"beta_1": uniform_exponent(-0.301, -0.00043), "beta_2": uniform_exponent(-0.0969, -0.00043)}
SPACES = {
    "sgd": RATE,
    "adagrad": RATE,
    "momentum": MOMENTUM,
    "nag": MOMENTUM,
    "rmsprop": RHO,
    "adadelta": RHO,
    "adam": BETAS,
    "nadam": BETAS,
    "amsgrad": BETAS,
}

# The same points, written down: RandomState(42), exponents and order as above.
ONE = [
    [0.00314891164795686],
    [0.6351221010640693],
    [0.08471801418819973],
    [0.024810409748678097],
    [0.0004207988669606635],
]
TWO = [
    [0.00314891164795686, 0.3648778989359307],
    [0.08471801418819973, 0.9751895902513219],
    [0.0004207988669606635, 0.9995792946049712],
    [0.00017073967431528115, 0.7084556810846248],
    [0.025378155082656628, 0.9320342190924185],
]
THREE = [
    [0.00314891164795686, 0.9655087169104505, 0.941272684096596],
    [0.024810409748678097, 0.5570504414794266, 0.828225869273599],
    [0.00017073967431528115, 0.9106396672201094, 0.914301779814602],
    [0.06796578090758151, 0.5072091521946193, 0.9923553226446393],
    [0.2136832907235874, 0.5791922825867732, 0.8329916626083091],
]
POINTS = {1: ONE, 2: TWO, 3: THREE}

# Fixed arguments and defaults of what is searched.
PARTS = {
    "sgd": ("sgd", {}, {"learning_rate": 0.01}),
    "momentum": ("sgd", {}, {"learning_rate": 0.01, "momentum": 0.99}),
    "nag": ("sgd", {"nesterov": True}, {"learning_rate": 0.01, "momentum": 0.99}),
    "adam": ("adam", {"epsilon": 1e-8}, {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999}),
    "nadam": ("nadam", {"epsilon": 1e-7}, {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999}),
    "amsgrad": (
        "adam",
        {"amsgrad": True, "epsilon": 1e-8},
        {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999},
    ),
    "rmsprop": ("rmsprop", {"epsilon": 1e-10}, {"learning_rate": 0.001, "rho": 0.9}),
    "adagrad": ("adagrad", {"initial_accumulator_value": 0.1}, {"learning_rate": 0.01}),
    "adadelta": ("adadelta", {"epsilon": 1e-8}, {"learning_rate": 0.001, "rho": 0.95}),
}

KERAS_CLASSES = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "lion": keras.optimizers.Lion,
    "muon": keras.optimizers.Muon,
}


def with_defaults(name: str) -> Candidate:
    candidate = catalog.candidate(name)
    return space.override(candidate, space.defaults(candidate))


@pytest.mark.parametrize("name", catalog.candidate_names())
def test_bundled_candidate_says_what_it_is_and_has_a_default_for_everything_it_searches(name):
    candidate = catalog.candidate(name)
    assert candidate.summary
    assert candidate.source
    assert list(space.defaults(candidate)) == list(candidate.searched())
    assert not with_defaults(name).searched()


@pytest.mark.parametrize("name", CROWDED_VALLEY)
def test_candidate_is_that_of_the_published_study(name):
    candidate = catalog.candidate(name)
    optimizer, fixed, defaults = PARTS[name]
    assert candidate.optimizer.name == optimizer
    searched = {f"optimizer.{key}" for key in defaults}
    assert set(candidate.searched()) == searched
    assert {k: v for k, v in candidate.optimizer.arguments.items() if f"optimizer.{k}" not in searched} == fixed
    assert space.defaults(candidate) == {f"optimizer.{key}": value for key, value in defaults.items()}
    assert candidate.regularizer is None
    assert candidate.decay == Decay(coupling="l2", strength="problem")


@pytest.mark.parametrize("name", CROWDED_VALLEY)
def test_first_points_are_those_of_the_published_study(name):
    points = draws.points(catalog.candidate(name), seed=42, count=5)
    stream = np.random.RandomState(42)
    for point, literals in zip(points, POINTS[len(SPACES[name])], strict=True):
        transcribed = {f"optimizer.{key}": draw(stream.random_sample()) for key, draw in SPACES[name].items()}
        assert list(point) == list(transcribed)
        # The same operations in the same order: equal but for a unit in the last place, where low + (high - low) * u
        # and the power of ten round differently, and that seen from a value near 1 where it is 1 minus a draw.
        assert list(point.values()) == pytest.approx(list(transcribed.values()), rel=4 * float(np.finfo(float).eps))
        assert list(point.values()) == pytest.approx(literals, rel=1e-12)


def test_learning_rates_stand_where_they_do_in_the_published_search():
    rates = [point["optimizer.learning_rate"] for point in draws.points(catalog.candidate("sgd"), seed=42, count=50)]
    # Powers of ten differ between C libraries by a unit in the last place.
    assert abs(rates[0] - 0.00314891164795686) <= math.ulp(rates[0])
    assert [position for position, rate in enumerate(rates) if f"{rate:.10f}" == "0.0153759202"] == [48]


@pytest.mark.parametrize("name", [*CROWDED_VALLEY, "adamw", "lion", "muon"])
def test_keras_knows_every_argument_and_does_not_decay_by_itself(name):
    part = with_defaults(name).optimizer
    optimizer = KERAS_CLASSES[part.name](**part.arguments)
    config = optimizer.get_config()
    for key, value in part.arguments.items():
        # The learning rate is a variable of 32 bits.
        assert config[key] == pytest.approx(value, rel=float(np.finfo(np.float32).eps))
    assert not config["weight_decay"]
    assert not config.get("adam_weight_decay")
