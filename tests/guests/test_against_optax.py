"""Optimizers of optax beside those of Keras: as far apart as the formulas are that the conventions stand for."""

import pytest

from .sizes import OF_KERAS_AND_OPTAX, check_sizes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.mark.parametrize("case", OF_KERAS_AND_OPTAX, ids=str)
def test_optax_is_as_far_from_keras_as_its_formula(case, monkeypatch):
    check_sizes(case, monkeypatch)
