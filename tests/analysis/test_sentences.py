"""What a claim says in words."""

import pytest

from regbench.analysis.resolution import Resolution
from regbench.analysis.sentences import Pair, Spoken
from regbench.analysis.significance import Difference


def pair(**changes):
    known = {"problem": "p", "better": "a", "worse": "b", "difference": Difference(0.02, 0.005, 20), "p": 0.01}
    return Pair(**known | {"n_better": 9, "n_worse": 9, "apart": "", "aside": ""} | changes)


def spoken(question="budget", tests=3, resolution=None):
    return Spoken(question, "p", tests, "when each is tuned anew with 25 trials", resolution)


def test_claim_tells_question_difference_interval_p_and_for_how_many_it_is_adjusted():
    said = spoken().sentence(pair(), (0.004, 0.036), 0.012, True, 0.02)
    assert said == (
        "a beats b on p by 0.020 [0.004, 0.036] on this test set when each is tuned anew with 25 trials "
        "(p = 0.012, adjusted for 3 comparisons)."
    )


def test_claim_on_a_known_test_set_tells_the_difference_in_its_samples():
    said = spoken(resolution=Resolution(256, "image")).sentence(pair(), (0.004, 0.036), 0.012, True, 0.02)
    assert "[0.004, 0.036], 5.1 images on this test set when each is" in said  # 0.02 of 256


def test_settings_are_compared_over_their_seeds():
    said = spoken("settings", tests=1).sentence(pair(n_worse=8), (0.004, 0.036), 0.012, True, 0.02)
    assert said == (
        "the setting found for a beats the setting found for b on p by 0.020 [0.004, 0.036] on this test set "
        "over 9 and 8 fresh seeds (p = 0.012)."
    )


def test_what_is_not_claimed_tells_what_would_have_been_seen():
    said = spoken().sentence(pair(aside=" Told."), (-0.01, 0.05), 0.3, False, 0.043)
    assert said == (
        "a and b cannot be told apart on p when each is tuned anew with 25 trials "
        "(0.020 [-0.010, 0.050], p = 0.3, adjusted for 3 comparisons; 0.043 or more would have been seen). Told."
    )


def test_what_is_not_compared_tells_why():
    said = spoken().sentence(pair(apart="sampler qmc against random"), (0, 0), 1.0, False, 1.0)
    assert said == "a and b are not compared on p: sampler qmc against random."


@pytest.mark.parametrize("low, shown", [(0.0004, "[0.0004, 0.0500]"), (0.004, "[0.004, 0.050]")])
def test_lower_end_of_a_claim_is_never_rounded_to_zero(low, shown):
    assert shown in spoken().sentence(pair(), (low, 0.05), 0.04, True, 0.02)
