"""The points that are known before the first run."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.errors import DefinitionError
from regbench.records import Candidate, Choices, Decay, Part, Range
from regbench.tuning import draws

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "published" / "nonlinear_weight_updates"

RATE = Range(low=1e-4, high=1.0, log=True, default=0.01)

exponents = st.tuples(st.floats(-8, 3), st.floats(0.01, 4)).map(lambda ab: (ab[0], ab[0] + ab[1]))
whole_ends = st.tuples(st.integers(1, 50), st.integers(1, 1000)).map(lambda ab: (float(ab[0]), float(sum(ab))))
ranges = st.one_of(
    st.builds(lambda ab, flip: Range(log10=ab, one_minus=flip), exponents, st.booleans()),
    st.builds(
        lambda ab, log, flip: Range(low=10 ** ab[0], high=10 ** ab[1], log=log, one_minus=flip),
        exponents,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(lambda ab, log: Range(low=ab[0], high=ab[1], integer=True, log=log), whole_ends, st.booleans()),
)
choices = st.lists(
    st.one_of(st.booleans(), st.integers(), st.text()), min_size=1, max_size=6, unique_by=lambda one: (type(one), one)
).map(lambda values: Choices(choices=tuple(values)))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def candidates(draw):
    arguments = draw(st.dictionaries(st.sampled_from("abcdef"), st.one_of(ranges, choices), max_size=4))
    return candidate_of(**arguments)


def candidate_of(**arguments):
    return Candidate(name="mine", summary="", source="", optimizer=Part(name="sgd", arguments=arguments))


@given(candidates(), seeds, st.integers(0, 30), st.integers(0, 30))
def test_smaller_budgets_are_the_beginning_of_larger_ones(candidate, seed, few, more):
    assert draws.points(candidate, seed, few) == draws.points(candidate, seed, few + more)[:few]


@given(ranges, seeds)
def test_draws_stay_between_the_ends(searched, seed):
    low, high = searched.ends()
    for point in draws.points(candidate_of(x=searched), seed, 20):
        drawn = 1 - point["optimizer.x"] if searched.one_minus else point["optimizer.x"]
        # 1 - (1 - x) misses x by the rounding of 1 - x, half a unit in the last place of a number below 1 + high.
        rounding = math.ulp(1 + high) if searched.one_minus else 0
        assert low - rounding <= drawn <= high + rounding
        assert type(point["optimizer.x"]) is (int if searched.integer else float)


def test_rounding_does_not_leave_a_narrow_range():
    lows = [thousandths / 1000 for thousandths in range(1, 60)]
    # 10**log10(low) is off by a few units in the last place for some of them; the ranges are one unit wide.
    assert any(10 ** math.log10(low) != low for low in lows)
    for low in lows:
        high = math.nextafter(low, math.inf)
        for point in draws.points(candidate_of(x=Range(low=low, high=high, log=True)), 42, 20):
            assert low <= point["optimizer.x"] <= high


@given(candidates(), seeds)
def test_points_are_plain_data(candidate, seed):
    points = draws.points(candidate, seed, 3)
    assert json.loads(json.dumps(points)) == points
    assert all(list(point) == list(candidate.searched()) for point in points)


def test_both_ends_of_an_integer_range_are_drawn():
    candidate = candidate_of(k=Range(low=1.0, high=4.0, integer=True))
    assert {point["optimizer.k"] for point in draws.points(candidate, 0, 100)} == {1, 2, 3, 4}


def test_whole_numbers_of_a_logarithmic_range_have_their_share_of_the_logarithm():
    candidate = candidate_of(k=Range(low=1.0, high=3.0, integer=True, log=True))
    count = 3000
    drawn = [point["optimizer.k"] for point in draws.points(candidate, 1, count)]
    for number in (1, 2, 3):
        share = math.log((number + 0.5) / (number - 0.5)) / math.log(3.5 / 0.5)
        # Five standard errors of a binomial share: the seed is fixed, so this fails only if the rule changes.
        assert drawn.count(number) / count == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / count))


def test_candidate_that_searches_nothing_has_empty_points():
    assert draws.points(candidate_of(learning_rate=0.1), 42, 3) == [{}, {}, {}]


@pytest.mark.parametrize(
    ("budget", "first", "second"),
    # With two choices: from 2 * 2 * 2 on, one level more for each range in turn, as long as the product fits.
    [(8, 2, 2), (12, 3, 2), (15, 3, 2), (17, 4, 2), (18, 3, 3), (50, 5, 5)],
)
def test_grid_spreads_the_budget_over_the_ranges_in_turn(budget, first, second):
    candidate = candidate_of(a=RATE, b=Range(low=0.0, high=1.0), c=Choices(choices=("x", "y")))
    grid = draws.grid(candidate, budget)
    levels = {name: sorted({point[name] for point in grid}) for name in candidate.searched()}
    assert len(grid) == len({tuple(point.values()) for point in grid}) == first * second * 2
    assert levels["optimizer.a"] == pytest.approx([10 ** (-4 + 4 * k / (first - 1)) for k in range(first)])
    assert levels["optimizer.b"] == pytest.approx([k / (second - 1) for k in range(second)])
    assert levels["optimizer.c"] == ["x", "y"]
    assert grid[0] == {"optimizer.a": 1e-4, "optimizer.b": 0.0, "optimizer.c": "x"}


def test_grid_of_one_range_uses_the_whole_budget():
    grid = draws.grid(candidate_of(a=RATE), 9)
    assert [point["optimizer.a"] for point in grid] == pytest.approx([10 ** (-4 + k / 2) for k in range(9)])


def test_grid_takes_each_whole_number_once():
    grid = draws.grid(candidate_of(k=Range(low=2.0, high=5.0, integer=True)), 50)
    assert [point["optimizer.k"] for point in grid] == [2, 3, 4, 5]


def test_grid_of_a_distance_to_one_is_spaced_in_the_distance():
    grid = draws.grid(candidate_of(momentum=Range(low=1e-4, high=1.0, log=True, one_minus=True)), 3)
    assert [point["optimizer.momentum"] for point in grid] == pytest.approx([0.9999, 0.99, 0.0])


@given(candidates(), st.integers(1, 100))
def test_grid_never_exceeds_the_budget(candidate, budget):
    least = math.prod(
        len(searched.choices) if isinstance(searched, Choices) else 2 for searched in candidate.searched().values()
    )
    if least > budget:
        with pytest.raises(DefinitionError, match=f"needs at least {least} trials. Received: {budget}"):
            draws.grid(candidate, budget)
    else:
        assert 1 <= len(draws.grid(candidate, budget)) <= budget


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published results are not beside this checkout")
@pytest.mark.parametrize(
    "study", ["PowKernelGradientDescentOptimizer", "PowKernelMomentumOptimizer", "PowKernelMomentumOptimizerN"]
)
def test_published_search_of_signed_powers_replays(study):
    files = (PUBLISHED / "quadratic_deep" / study).glob("*/random_seed__42__*.json")
    settings = [json.loads(path.read_bytes())["optimizer_hyperparams"] for path in files]
    candidate = Candidate(
        name="signed_power",
        summary="",
        source="Norridge 2022",
        optimizer=Part(
            name="signed_power",
            arguments={
                "inner": Part(name="sgd", arguments={"learning_rate": RATE}),
                "power": Choices(choices=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
            },
        ),
        decay=Decay(),
    )
    points = draws.points(candidate, 42, 50)
    ours = sorted((point["optimizer.inner.learning_rate"], point["optimizer.power"]) for point in points)
    theirs = sorted({setting["learning_rate"]: setting["power"] for setting in settings}.items())
    assert len(theirs) == 50
    # Powers of ten differ between C libraries by a unit in the last place (here in 1 of 50); theirs for 0.7 is
    # 0.7000000000000001.
    for (rate, power), (published_rate, published_power) in zip(ours, theirs, strict=True):
        assert abs(rate - published_rate) <= math.ulp(rate)
        assert abs(power - published_power) <= math.ulp(power)
