"""Regularizers that break one clause each, and that the contract catches."""

import keras
import pytest
from keras import ops

from regbench import contracts
from regbench.contracts import Ruling

# Keras 3.15 reads and saves variables in a way of which NumPy 2 disapproves, whatever the class.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class SoundPenalty(keras.regularizers.Regularizer):
    """The sum of squares.

    Parameters
    ----------
    factor : float
        At least 0.

    References
    ----------
    Hoerl and Kennard, "Ridge regression", 1970.
    """

    def __init_subclass__(cls):
        cls.__doc__ = cls.__doc__ or SoundPenalty.__doc__

    def __init__(self, factor=0.01):
        self.factor = factor

    def __call__(self, x):
        return self.factor * self.of(ops.cast(x, "float32"))

    def of(self, kernel):
        return ops.sum(ops.square(kernel))

    def get_config(self):
        return {"factor": self.factor}


class ForgetsItsFactor(SoundPenalty):
    def get_config(self):
        return {}


class DrawsANumber(SoundPenalty):
    def __init__(self, factor=0.01):
        super().__init__(factor)
        self.scale = float(keras.random.uniform(()))

    def of(self, kernel):
        return self.scale * super().of(kernel)


class GivesAVectorForDenseKernels(SoundPenalty):
    default_kernels = "convolution"

    def of(self, kernel):
        return super().of(kernel) * (ops.ones(3) if len(kernel.shape) == 2 else 1.0)


class GivesAVectorForConvolutionKernels(SoundPenalty):
    default_kernels = "dense"

    def of(self, kernel):
        return super().of(kernel) * (ops.ones(3) if len(kernel.shape) == 4 else 1.0)


class CanBeNegative(SoundPenalty):
    def of(self, kernel):
        return ops.sum(kernel**3)


class IsAlwaysOn(SoundPenalty):
    def __call__(self, x):
        return super().__call__(x) + 0.01 * ops.sum(ops.square(ops.cast(x, "float32")))


class HasARootAtZero(SoundPenalty):
    def of(self, kernel):
        return ops.sqrt(super().of(kernel))


class HidesHalfOfTheGradient(SoundPenalty):
    def of(self, kernel):
        return (super().of(kernel) + ops.stop_gradient(super().of(kernel))) / 2


class BranchesInPython(SoundPenalty):
    def of(self, kernel):
        return super().of(kernel) * (2.0 if float(ops.max(kernel)) > 10 else 1.0)


class SharesItsFactor(SoundPenalty):
    def __init__(self, factor=0.01):
        type(self).factor = factor


class DocumentsNoFactor(SoundPenalty):
    """The sum of squares (arXiv 1903.05499)."""


class PenaltyThatCitesNothing(SoundPenalty):
    """The sum of squares.

    :param factor: at least 0.
    """


PLANTED = {
    "survives_its_config": ForgetsItsFactor,
    "goes_on_after_loading": DrawsANumber,
    "takes_dense_kernels": GivesAVectorForDenseKernels,
    "takes_convolution_kernels": GivesAVectorForConvolutionKernels,
    "is_never_negative": CanBeNegative,
    "is_zero_at_factor_zero": IsAlwaysOn,
    "is_finite_at_zero_weights": HasARootAtZero,
    "has_the_right_gradient": HidesHalfOfTheGradient,
    "adds_to_the_loss_in_fit": BranchesInPython,
    "is_the_same_warm": SharesItsFactor,
    "documents_arguments": DocumentsNoFactor,
    "cites_source": PenaltyThatCitesNothing,
}
MESSAGES = {
    "survives_its_config": "does not return `factor`",
    "is_zero_at_factor_zero": "shape (6, 4): 0.0",
    "is_finite_at_zero_weights": "24 entries of the gradient not finite",
    "documents_arguments": "no entry for `factor`",
}
STYLE = ("documents_arguments", "cites_source")
BROKEN = (Ruling.FAILS, Ruling.WARNS)
on_planted = pytest.mark.parametrize(
    ("clause", "planted"), PLANTED.items(), ids=[planted.__name__ for planted in PLANTED.values()]
)


def test_all_clauses_hold_for_a_sound_class():
    verdicts = contracts.check(SoundPenalty)
    assert [verdict.clause for verdict in verdicts] == list(contracts.clauses_for(SoundPenalty))
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_every_clause_has_a_planted_violation():
    assert list(PLANTED) == list(contracts.clauses_for(SoundPenalty))


@on_planted
def test_planted_violation_is_caught(clause, planted):
    (verdict,) = contracts.check(planted, clauses=[clause])
    assert verdict.ruling == (Ruling.WARNS if clause in STYLE else Ruling.FAILS)
    assert MESSAGES.get(clause, " ") in verdict.message
    assert "\n" not in verdict.message


@pytest.mark.slow
@on_planted
def test_planted_violation_breaks_no_other_clause(clause, planted):
    failing = [verdict for verdict in contracts.check(planted) if verdict.ruling in BROKEN]
    assert [verdict.clause for verdict in failing] == [clause], failing
