"""What each coupling takes of a weight, and the settings of others that take the same."""

import math

import numpy as np
import pytest

from regbench import catalog
from regbench.conventions import couplings
from regbench.conventions.couplings import AT_THE_END, STEP_FOR_STEP, converted, pace_of
from regbench.records import Coupling

CONSTANT = pace_of(catalog.schedule("none"), 3, 0.1, 5, momentum=0.9)
COSINE = pace_of(catalog.schedule("cosine"), 3, 0.1, 5, momentum=0.9)
FACTORS = [1.0] * 5 + [0.75] * 5 + [0.25] * 5
STRENGTHS = dict.fromkeys(Coupling, 0.3) | {Coupling.TIMESCALE: 0.8}


def simulated(coupling, strength, rates=None):
    """What is left of a weight after the steps, one after the other."""
    left = 1.0
    for factor in FACTORS:
        rate = 0.1 * factor
        left -= (
            left
            * {
                "decoupled": rate * strength,
                "decoupled_momentum": rate / (1 - 0.9) * strength,
                "decoupled_constant": strength,
                "lr_squared": rate**2 / 0.1 * strength,
                "timescale": rate / (0.1 * strength * 5),
            }[coupling]
        )
    return left


@pytest.mark.parametrize(
    "coupling", ["decoupled", "decoupled_momentum", "decoupled_constant", "lr_squared", "timescale"]
)
def test_shrinkage_is_the_product_over_the_steps(coupling):
    strength = STRENGTHS[Coupling(coupling)]
    assert couplings.shrinkage(Coupling(coupling), strength, COSINE) == pytest.approx(simulated(coupling, strength))


def test_shrinkage_is_not_known_of_couplings_that_look_at_the_step():
    assert couplings.shrinkage(Coupling.CAUTIOUS, 0.1, COSINE) is couplings.shrinkage(Coupling.L2, 0.1, COSINE) is None
    assert couplings.shrinkage(Coupling.DECOUPLED_CONSTANT, 1e300, COSINE) is None
    assert couplings.shrinkage(Coupling.NONE, 0.0, COSINE) == 1.0


def test_timescale_is_the_strength_that_forgets_over_so_many_epochs():
    assert couplings.strength_of_timescale(4.0, 0.1, 5) == pytest.approx(1 / (0.1 * 4 * 5))
    assert couplings.strength_of_timescale(0.4, 0.1, 5) == pytest.approx(1 / (0.1 * 2))
    with pytest.raises(ValueError, match=r"at least two steps .* an epoch has 5. Received: 0.3 epochs"):
        couplings.strength_of_timescale(0.3, 0.1, 5)


@pytest.mark.parametrize("pace", [CONSTANT, COSINE], ids=["constant", "cosine"])
@pytest.mark.parametrize("coupling", [one for one in Coupling if one not in (Coupling.NONE, Coupling.CAUTIOUS)])
def test_what_is_converted_leaves_as_much_of_a_weight(coupling, pace):
    settings = {one.coupling: one for one in converted(coupling, STRENGTHS[coupling], pace)}
    assert list(settings) == [one for one in Coupling if one != Coupling.NONE]
    assert settings[coupling].strength == STRENGTHS[coupling]
    left = settings[coupling].shrinkage
    for one in settings.values():
        if one.coupling != Coupling.CAUTIOUS:
            assert one.shrinkage == pytest.approx(left, rel=1e-9)
        if one.coupling not in (Coupling.CAUTIOUS, Coupling.L2, coupling):
            assert couplings.shrinkage(one.coupling, one.strength, pace) == pytest.approx(left, rel=1e-9)
            assert one.how in (STEP_FOR_STEP, AT_THE_END)
    assert settings[Coupling.CAUTIOUS].strength is None


def test_equal_step_for_step_are_those_whose_share_has_the_same_course():
    by_decoupled = {one.coupling: one for one in converted(Coupling.DECOUPLED, 0.3, COSINE)}
    assert by_decoupled[Coupling.TIMESCALE].strength == pytest.approx(1 / (0.1 * 0.3 * 5))
    assert by_decoupled[Coupling.DECOUPLED_MOMENTUM].strength == pytest.approx(0.3 * (1 - 0.9))
    same = {coupling for coupling, one in by_decoupled.items() if one.how == STEP_FOR_STEP}
    assert same == {Coupling.TIMESCALE, Coupling.DECOUPLED_MOMENTUM}
    assert by_decoupled[Coupling.L2].how == f"{STEP_FOR_STEP}, for SGD with momentum, in the long run; none for others"
    assert {one.how for one in converted(Coupling.DECOUPLED, 0.3, CONSTANT) if one.strength} == {
        "as given",
        STEP_FOR_STEP,
        by_decoupled[Coupling.L2].how,
    }


def test_l2_is_that_of_sgd_and_of_its_momentum():
    plain = pace_of(catalog.schedule("cosine"), 3, 0.1, 5)
    assert {one.coupling: one.strength for one in converted(Coupling.L2, 0.3, plain)}[Coupling.DECOUPLED] == (
        pytest.approx(0.3)
    )
    assert {one.coupling: one.strength for one in converted(Coupling.L2, 0.3, COSINE)}[Coupling.DECOUPLED] == (
        pytest.approx(0.3 / (1 - 0.9))
    )


def test_cautious_is_converted_into_nothing_and_a_whole_weight_into_what_has_the_same_course():
    assert {one.strength for one in converted(Coupling.CAUTIOUS, 0.3, COSINE)} == {0.3, None}
    taken = {one.coupling: one for one in converted(Coupling.DECOUPLED, 20.0, COSINE)}
    assert taken[Coupling.LR_SQUARED].how == "none: a step takes a whole weight"
    assert taken[Coupling.TIMESCALE].how == STEP_FOR_STEP
    assert math.isclose(taken[Coupling.TIMESCALE].strength, 1 / (0.1 * 20 * 5))


def test_pace_has_the_rate_of_every_step():
    pace = pace_of(catalog.schedule("wsd"), 2, 0.1, 10)
    assert np.allclose(pace.rates, [0.1] * 17 + [0.075, 0.05, 0.025])
    assert (pace.peak, pace.steps) == (0.1, 10)
