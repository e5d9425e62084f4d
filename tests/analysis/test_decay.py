"""The ridge of searches over learning rate and decay, on landscapes of which the slope is known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis.decay import ridge
from regbench.analysis.entries import trials

LOSS = {"metric": "loss", "goal": "minimize"}

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
def search(make_runs):
    """The trials of a random search: 50 points of a landscape with noise."""

    def make(landscape, seed=0, n=50, noise=0.1, transform=lambda score: score, **common):
        generator = np.random.default_rng(seed)
        x, y = generator.uniform(-4, 0, n), generator.uniform(-6, -1, n)
        scores = transform(LANDSCAPES[landscape](x, y) + noise * generator.normal(size=n))
        points = zip(10**x, 10**y, scores, strict=True)
        rows = [
            {"setting": {"learning_rate": rate, "decay.strength": decay}, "decay": decay, "valid": score}
            for rate, decay, score in points
        ]
        return trials(make_runs(rows, coupling="decoupled", **(LOSS | {"goal": "maximize"} | common)))

    return make


@pytest.mark.parametrize("landscape", SLOPES)
def test_planted_slope_is_recovered_and_said(search, landscape):
    found = ridge(search(landscape))
    truth = SLOPES[landscape]
    assert found.low <= truth <= found.high
    # The interval is the only yardstick of its error; as a whole it excludes the other two cases.
    assert found.high - found.low < 0.8
    assert MEANINGS[truth] in found.sentence
    assert f"{found.slope:.2f} [{found.low:.2f}, {found.high:.2f}]" in found.sentence


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "landscape", ["product alone", "product, and no rate above 0.1", "each by itself", "in between"]
)
def test_interval_holds_the_slope_at_least_as_often_as_it_says(search, landscape):
    found = [ridge(search(landscape, seed)) for seed in range(100)]
    told = [one for one in found if not math.isnan(one.slope)]
    assert len(told) >= 90
    hits = sum(one.low <= SLOPES[landscape] <= one.high for one in told)
    # A rate of at least 0.95 gives fewer with a probability below 1e-4.
    assert hits >= stats.binom.ppf(1e-4, len(told), 0.95)
