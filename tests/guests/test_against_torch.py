"""Optimizers of one name, side by side: the sizes that were measured by others' code before ours."""

import pytest

from regbench.contracts.against import ROUNDING, compare
from regbench.errors import DefinitionError, UnknownNameError

# Keras 3.15 reads variables in a way of which NumPy 2 disapproves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

EPSILON = {"epsilon": 1e-8}
KNOWN = [
    ("keras:SGD", "torch:SGD", {"keras:SGD": {"momentum": 0.9}, "torch:SGD": {"momentum": 0.9}}, 0.0, 2.3e-2),
    ("optax:sgd", "torch:SGD", {"optax:sgd": {"momentum": 0.9}, "torch:SGD": {"momentum": 0.9}}, 0.0, 0.0),
    ("keras:Adam", "torch:Adam", {"keras:Adam": EPSILON}, 8e-7, 1e-6),
    ("optax:adam", "torch:Adam", {}, 0.0, 0.0),
    ("keras:Adam", "torch:Adam", {"keras:Adam": {"epsilon": 1e-3}, "torch:Adam": {"eps": 1e-3}}, 1.3e-2, 2.1e-2),
    ("optax:amsgrad", "torch:Adam", {"torch:Adam": {"amsgrad": True}}, 0.14, 0.15),
    ("keras:Nadam", "torch:NAdam", {"keras:Nadam": EPSILON}, 2.0e-2, 2.4e-2),
    ("optax:nadam", "torch:NAdam", {}, 4.1e-2, 6.3e-2),
    ("optax:rmsprop", "torch:RMSprop", {}, 0.30, 0.37),
    ("optax:adagrad", "torch:Adagrad", {}, 0.10, 0.15),
    ("optax.contrib:ademamix", "pytorch_optimizer:AdEMAMix", {}, 0.0, 0.0),
    ("optax.contrib:schedule_free_adamw", "pytorch_optimizer:ScheduleFreeAdamW", {}, 0.0, 0.0),
]
"""Constant rate, linear schedule; on another function with other noise, so the order of magnitude counts."""

HALF_AN_ORDER = 5.0
KERAS_ROUNDS = 1e-6


@pytest.mark.parametrize(("one", "other", "arguments", "constant", "scheduled"), KNOWN)
def test_difference_has_the_known_size(one, other, arguments, constant, scheduled):
    pytest.importorskip("optax")
    found = compare(one, other, arguments)
    for actual, expected in ((found.constant, constant), (found.scheduled, scheduled)):
        if expected:
            assert expected / HALF_AN_ORDER < actual < expected * HALF_AN_ORDER
        else:
            assert actual <= (KERAS_ROUNDS if one.startswith("keras:") else ROUNDING)
    if constant or scheduled:
        assert "no cause is known" not in " ".join(found.sentences())


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ("keras:Adm", "There is no optimizer `Adm`. Did you mean `Adam`"),
        ("adam", "must be named as keras:Name"),
        ("torch:LBFGS", "must look at one gradient a step"),
    ],
)
def test_bad_name_is_one_line(one, message):
    with pytest.raises((DefinitionError, UnknownNameError), match=message):
        compare(one, "torch:Adam")
