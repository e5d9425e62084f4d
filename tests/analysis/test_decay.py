"""The ridge of searches over learning rate and decay, on landscapes of which the slope is known."""

import functools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis.decay import Ridge, _lines, _meaning, ridge
from regbench.analysis.entries import trials

# Scores over x = log10(learning rate) in [-4, 0] and y = log10(decay) in [-6, -1], the best at 0.
LANDSCAPES = {
    "product alone": lambda x, y: -((x + y + 5) ** 2),
    "product, and the rate by itself": lambda x, y: -2 * (x + y + 5) ** 2 - ((x + 2) / 1.5) ** 2,
    "product, and no rate above 0.1": lambda x, y: np.where(x > -1, -20, -((x + y + 5) ** 2) - 0.1 * abs(x + 2)),
    "plateau of the product": lambda x, y: -3 * np.maximum(abs(x + y + 5) - 0.4, 0),
    "each by itself": lambda x, y: -((x + 2) ** 2) - (y + 3) ** 2,
    "decay alone": lambda x, y: -2 * (y + 3) ** 2 - 0.05 * (x + 2) ** 2,
    "in between": lambda x, y: -2 * (y + 4 + 0.5 * (x + 2)) ** 2,
    "rate alone": lambda x, y: -((x + 2) ** 2) + 0 * y,
    "nothing": lambda x, y: 0 * x * y,
}
SLOPES = {
    "product alone": -1.0,
    "product, and the rate by itself": -1.0,
    "product, and no rate above 0.1": -1.0,
    "plateau of the product": -1.0,
    "each by itself": 0.0,
    "decay alone": 0.0,
    "in between": -0.5,
}
MEANINGS = {
    -1.0: "what matters is the product of learning rate and decay",
    0.0: "the best decay does not depend on the learning rate",
    -0.5: "the best decay depends on the learning rate, but not by their product alone",
}


@pytest.fixture(scope="module")
def trials_at(make_runs):
    """The trials of one entry at points of which the scores are given; what they share is made once."""

    @functools.cache
    def plain(n, goal, candidate):
        runs = [{"setting": {"learning_rate": 1.0 + trial}, "valid": 0.5} for trial in range(n)]
        return trials(make_runs(runs, metric="loss", goal=goal, candidate=candidate, coupling="decoupled"))

    def make(x, y, scores, goal="maximize", candidate="sgd"):
        values = zip(10**x, 10**y, strict=True)
        settings = [json.dumps({"learning_rate": rate, "decay.strength": decay}) for rate, decay in values]
        return plain(len(x), goal, candidate).assign(setting=settings, decay=10**y, score=scores)

    return make


@pytest.fixture(scope="module")
def search(trials_at):
    """The trials of a random search: 50 points of a landscape with noise."""

    def make(landscape, seed=0, n=50, noise=0.1, transform=lambda score: score, **common):
        generator = np.random.default_rng(seed)
        x, y = generator.uniform(-4, 0, n), generator.uniform(-6, -1, n)
        return trials_at(x, y, transform(LANDSCAPES[landscape](x, y) + noise * generator.normal(size=n)), **common)

    return make


@pytest.mark.parametrize("landscape", SLOPES)
def test_planted_slope_is_recovered_and_said(search, landscape):
    found = ridge(search(landscape, n=200))
    truth = SLOPES[landscape]
    assert found.low <= truth <= found.high
    assert found.is_told
    assert MEANINGS[truth] in found.sentence
    assert f"{found.slope:.2f} [{found.low:.2f}, {found.high:.2f}]" in found.sentence


@pytest.mark.parametrize(
    "low, high, meaning",
    [
        (-0.25, 0.25, MEANINGS[0.0]),
        (-0.2, -0.05, MEANINGS[0.0]),  # excludes 0, and lies near it
        (-1.25, -0.75, MEANINGS[-1.0]),
        (-0.8, -0.26, MEANINGS[-0.5]),
        (0.3, 0.9, MEANINGS[-0.5]),
        (-2.0, -1.1, MEANINGS[-0.5]),
        # An interval that merely holds 0, or -1, or both, shows nothing.
        (-0.26, 0.1, ""),
        (-0.1, 0.26, ""),
        (-1.1, -0.74, ""),
        (-1.1, 0.1, ""),
        (math.nan, math.nan, ""),
    ],
)
def test_only_a_whole_interval_near_a_slope_says_that_it_is_this_slope(low, high, meaning):
    told = Ridge((low + high) / 2, low, high, 0.0, 9, pd.DataFrame(), "").is_told
    assert (told, meaning in _meaning(low, high)) == (bool(meaning), True)
    assert bool(_meaning(low, high)) == bool(meaning)


def test_interval_that_supports_nothing_is_said_to(search):
    found = ridge(search("each by itself", n=30))
    assert found.low < 0 < found.high
    assert not found.is_told
    assert found.sentence.endswith("how the best decay depends on the learning rate cannot be told.")


@pytest.mark.parametrize("decimals", [2, 0])
def test_batched_fits_are_those_of_least_squares_one_by_one(decimals):
    generator = np.random.default_rng(3)
    x, y = generator.uniform(-4, 0, (200, 20)), np.round(generator.uniform(-6, -1, (200, 20)), decimals)
    worth = -((x + y + 5) ** 2) + generator.normal(size=(200, 20))
    expected = [one_line(*sample) for sample in zip(x, y, worth, strict=True)]
    found = np.column_stack(_lines(x, y, worth))
    assert 0 < np.isnan(found[:, 0]).sum() < 150
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def one_line(x, y, worth):
    """Slope and intercept of the ridge of the better half."""
    good = np.argsort(-worth)[: len(worth) // 2]
    u, v = x[good] - x[good].mean(), y[good] - y[good].mean()
    surface = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    c, _, rank, _ = np.linalg.lstsq(surface, stats.rankdata(worth[good]))
    at_mean = y[good].mean() - c[2] / (2 * c[5])
    if rank < 6 or c[5] >= 0 or not y.min() <= at_mean <= y.max():
        return math.nan, math.nan
    return -c[4] / (2 * c[5]), at_mean + c[4] / (2 * c[5]) * x[good].mean()


def test_equal_scores_have_no_ridge():
    generator = np.random.default_rng(0)
    x, y = generator.uniform(size=(2, 50, 20))
    assert np.isnan(_lines(x, y, np.ones((50, 20)))).all()


def test_ridge_of_a_symmetric_grid_is_its_axis(make_runs):
    # Eight rows of points on either side of y = -3 - x; the better half are the inner four rows, whole, and any surface
    # that fits them is symmetric to the axis.
    x, off = (axis.ravel() for axis in np.meshgrid(np.linspace(-2, 0, 8), np.linspace(-1.75, 1.75, 8)))
    points = zip(x.tolist(), (off - 3 - x).tolist(), (-abs(off)).tolist(), strict=True)
    rows = [{"setting": {"learning_rate": 10**a}, "decay": 10**b, "valid": score} for a, b, score in points]
    found = ridge(trials(make_runs(rows, metric="loss", goal="maximize")))
    # Rounding of 10**x and of the fit of 32 points: a few hundred times 1e-16.
    assert (found.slope, found.intercept) == pytest.approx((-1, -3), rel=1e-10)
    assert found.n_good == 32


@pytest.mark.parametrize("landscape", ["rate alone", "nothing"])
def test_slope_cannot_be_told_where_decay_does_not_matter(search, landscape):
    told = [found for seed in range(10) if not math.isnan((found := ridge(search(landscape, seed))).slope)]
    # Where resamples agree by chance on a ridge, its slope is anybody's guess, and the interval says so.
    assert len(told) <= 2
    assert all("cannot be told" in found.sentence for found in told)
    unknown = ridge(search("nothing"))
    assert "The slope of the ridge cannot be told: among the better half" in unknown.sentence
    assert all(math.isnan(value) for value in (unknown.slope, unknown.low, unknown.high, unknown.intercept))


def test_slope_cannot_be_told_from_too_few_trials(search):
    found = ridge(search("product alone", n=19))
    assert "19 trials with a learning rate and a decay completed, 20 are needed" in found.sentence
    assert math.isnan(found.slope)
    assert (found.n_good, len(found.points)) == (10, 10)


def test_trials_that_diverged_or_have_no_decay_do_not_count(search):
    runs = search("product alone", n=24)
    runs.loc[runs.index[:3], "outcome"] = "diverged"
    runs.loc[runs.index[3:5], "decay"] = 0.0
    runs.loc[runs.index[5], "score"] = math.nan
    assert "18 trials with a learning rate and a decay completed" in ridge(runs).sentence


def test_search_of_one_of_the_two_has_no_ridge(search):
    runs = search("product alone")
    assert "the decay was not searched" in ridge(runs.assign(decay=0.01)).sentence
    assert "the learning rate was not searched" in ridge(runs.assign(setting='{"learning_rate": 0.1}')).sentence
    assert "0 trials with a learning rate" in ridge(runs.assign(setting='{"momentum": 0.9}')).sentence


def test_best_decay_outside_the_search_is_not_extrapolated(search):
    runs = search("each by itself", noise=0.0)
    low = runs[runs["decay"] < 10**-4.2]
    assert len(low) < len(runs) / 2
    many = pd.concat([search("each by itself", seed, noise=0.0) for seed in range(3)])
    assert "cannot be told" in ridge(many[many["decay"] < 10**-4.2]).sentence


def test_minimizing_is_maximizing_the_negative(search):
    up = ridge(search("product alone", goal="maximize"))
    down = ridge(search("product alone", goal="minimize", transform=np.negative))
    assert (up.slope, up.low, up.high, up.intercept) == (down.slope, down.low, down.high, down.intercept)


def test_ridge_does_not_depend_on_the_scale_of_the_score(search):
    plain = ridge(search("product alone"))
    transformed = ridge(search("product alone", transform=np.exp))
    assert (plain.slope, plain.low, plain.high) == (transformed.slope, transformed.low, transformed.high)


def test_ridge_shifts_with_the_unit_of_decay(search):
    runs = search("product alone")
    plain, shifted = ridge(runs), ridge(runs.assign(decay=runs["decay"] * 100))
    # Centred coordinates are equal up to rounding, 1e-16 of about 6; the fit of 25 points loses some digits more.
    assert (shifted.slope, shifted.low, shifted.high) == pytest.approx((plain.slope, plain.low, plain.high), rel=1e-9)
    assert shifted.intercept == pytest.approx(plain.intercept + 2, rel=1e-9)


def test_line_passes_through_the_planted_ridge(search):
    found = ridge(search("product alone", noise=0.0))
    # The ridge of this landscape is y = -5 - x; at its middle, x = -2, the line is as far off as the slope allows.
    at_middle = found.intercept - 2 * found.slope
    assert at_middle == pytest.approx(-3, abs=2 * (found.high - found.low))


def test_same_seed_gives_the_same_interval(search):
    runs = search("product alone")
    one, again, other = ridge(runs, seed=1), ridge(runs, seed=1), ridge(runs, seed=2)
    assert (one.low, one.high) == (again.low, again.high)
    assert (one.low, one.high) != (other.low, other.high)
    assert one.slope == other.slope


def test_points_are_the_better_half_best_first(search):
    runs = search("product alone", goal="minimize", transform=np.negative)
    found = ridge(runs)
    assert list(found.points.columns) == ["learning_rate", "decay", "score"]
    assert list(found.points["score"]) == sorted(runs["score"])[:25]
    assert found.n_good == 25


def test_trials_of_two_entries_are_refused(search):
    two = pd.concat([search("nothing"), search("nothing", candidate="other")])
    with pytest.raises(ValueError, match=r"`trials` must be those of one entry. Received: 2"):
        ridge(two)
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\). Received: level=95"):
        ridge(search("nothing"), level=95)


# Of each statement, slopes at which it is false, near the ends of what it says.
FALSE = {MEANINGS[0.0]: (-0.5, -0.3, 0.3), MEANINGS[-1.0]: (-1.3, -0.7, -0.5), MEANINGS[-0.5]: (-1.0, 0.0)}


@pytest.mark.slow
@pytest.mark.parametrize("meaning, slopes", FALSE.items())
def test_false_statements_are_rare(trials_at, meaning, slopes):
    said, cases = 0, 0
    for seed in range(16):
        generator = np.random.default_rng(seed)
        for slope in slopes:
            x, y = generator.uniform(-4, 0, 50), generator.uniform(-6, -1, 50)
            worth = np.where(x > -1, -20, -((y + 3.5 - slope * (x + 2)) ** 2) - 0.1 * abs(x + 2))
            said += meaning in ridge(trials_at(x, y, worth + generator.normal(size=50))).sentence
            cases += 1
    # A rate of at most 5 % gives more with a probability below 1e-4. What an interval merely holds is said in a half.
    assert said <= stats.binom.ppf(1 - 1e-4, cases, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "landscape", ["product alone", "product, and no rate above 0.1", "each by itself", "in between"]
)
def test_interval_holds_the_slope_at_least_as_often_as_it_says(search, landscape):
    found = [ridge(search(landscape, seed)) for seed in range(60)]
    told = [one for one in found if not math.isnan(one.slope)]
    assert len(told) >= 50
    hits = sum(one.low <= SLOPES[landscape] <= one.high for one in told)
    # A rate of at least 0.95 gives fewer with a probability below 1e-4.
    assert hits >= stats.binom.ppf(1e-4, len(told), 0.95)


@pytest.mark.parametrize(("landscape", "meaning"), [("product alone", 0.0), ("decay alone", -1.0)])
def test_time_says_the_other_thing_by_the_same_slope(search, landscape, meaning):
    """A timescale is one over a product: on this landscape of the time, another thing is told than of a strength."""
    found = ridge(search(landscape, n=200).assign(coupling="timescale"))
    assert MEANINGS[meaning] in found.sentence
