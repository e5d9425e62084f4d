"""The decays of PyTorch's classes are what the table of conventions calls them."""

import inspect
import sys

import pytest

from regbench.conventions import DECAYS

from .decaying import RATE, coupling_of

torch = sys.modules.get("torch")  # which must not be loaded after TensorFlow: see conftest.py
ESTIMATED = {"pytorch_optimizer:Prodigy"}
"""Its rate is not ours; so a decay that is times it is nearly nothing in a few steps."""
OF_TORCH = [one for one in DECAYS if one.name.startswith(("torch:", "pytorch_optimizer:"))]
OTHERS_OFF = {"pytorch_optimizer:MARS": {"weight_decay_1d": 0.0}}


@pytest.mark.parametrize(
    "meaning",
    [one for one in OF_TORCH if one.coupling != "none" and one.name not in ESTIMATED],
    ids=lambda one: one.name,
)
def test_decay_is_what_the_table_says(meaning):
    arguments = {"lr": RATE} | OTHERS_OFF.get(meaning.name, {})
    assert coupling_of(meaning.name, meaning.argument, arguments) == meaning.coupling


@pytest.mark.parametrize("meaning", OF_TORCH, ids=lambda one: one.name)
def test_default_is_what_the_table_says(meaning):
    import pytorch_optimizer

    library, _, name = meaning.name.partition(":")
    parameters = inspect.signature(getattr(torch.optim if library == "torch" else pytorch_optimizer, name)).parameters
    if meaning.coupling == "none":
        assert meaning.argument not in parameters
    else:
        assert parameters[meaning.argument].default == meaning.default
