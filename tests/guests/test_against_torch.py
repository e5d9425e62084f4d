"""Optimizers of PyTorch beside those of one name: as far apart as the formulas are that the conventions stand for."""

import pytest

from regbench.contracts.against import ROUNDING, compare
from regbench.errors import DefinitionError, UnknownNameError

from .sizes import OF_KERAS_AND_TORCH, OF_OPTAX_AND_TORCH, check_sizes

# Keras 3.15 reads variables in a way of which NumPy 2 disapproves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.mark.parametrize("case", OF_KERAS_AND_TORCH, ids=str)
def test_keras_is_as_far_as_its_formula(case, monkeypatch):
    check_sizes(case, monkeypatch)


@pytest.mark.parametrize("case", OF_OPTAX_AND_TORCH, ids=str)
def test_optax_is_as_far_as_its_formula(case, monkeypatch):
    pytest.importorskip("optax")
    check_sizes(case, monkeypatch)


@pytest.mark.parametrize(
    ("one", "other", "arguments"),
    [
        ("optax:sgd", "torch:SGD", {"optax:sgd": {"momentum": 0.9}, "torch:SGD": {"momentum": 0.9}}),
        ("optax:adam", "torch:Adam", {}),
        ("optax.contrib:ademamix", "pytorch_optimizer:AdEMAMix", {}),
        ("optax.contrib:schedule_free_adamw", "pytorch_optimizer:ScheduleFreeAdamW", {}),
    ],
)
def test_equal_ones_are_equal_to_rounding(one, other, arguments):
    pytest.importorskip("optax")
    found = compare(one, other, arguments)
    assert max(found.constant, found.scheduled) <= ROUNDING


def test_nadam_of_pytorch_becomes_that_of_keras_by_its_momentum_decay():
    found = compare(
        "keras:Nadam", "torch:NAdam", {"keras:Nadam": {"epsilon": 1e-8}, "torch:NAdam": {"momentum_decay": 1.0}}
    )
    assert found.constant < 1e-6  # Keras rounds the betas of the bias correction
    assert all("momentum schedule" not in cause.what for cause in found.causes)


def test_muon_of_pytorch_is_compared_on_a_matrix():
    """Newton-Schulz in bfloat16, which has 8 bits, so that each step is off by some 2**-8 of itself."""
    found = compare(
        "keras:Muon",
        "torch:Muon",
        {
            "keras:Muon": {"weight_decay": 0.0, "rms_rate": 0.2},
            "torch:Muon": {"weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"},
        },
    )
    assert found.is_of_a_matrix
    assert 1e-4 < found.constant < 5 * 2**-8
    assert [cause.what for cause in found.causes] == ["PyTorch orthogonalizes in bfloat16"]


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
