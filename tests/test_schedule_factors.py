"""The factor on the learning rate in each epoch."""

import math

import pytest

from regbench import catalog
from regbench.records import Schedule, learning_rate_factor

STEPS = Schedule(name="step", epochs=(3, 6), factors=(0.5, 0.0))
EVERY = [*(Schedule(name=name) for name in catalog.SCHEDULES if name != "step"), STEPS]
ROUNDING = 1e-12


def by_name(name, epoch, epochs):
    return learning_rate_factor(Schedule(name=name), epoch, epochs)


def test_every_schedule_of_the_catalogue_is_tested_here():
    assert {schedule.name for schedule in EVERY} == set(catalog.SCHEDULES)


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("epochs", [1, 2, 7, 100])
def test_first_epoch_is_trained_at_the_full_rate(schedule, epochs):
    assert learning_rate_factor(schedule, 0, epochs) == 1.0


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("epochs", [1, 2, 7, 9, 10, 50, 100, 350])
def test_factor_is_never_negative_or_above_one(schedule, epochs):
    factors = [learning_rate_factor(schedule, epoch, epochs) for epoch in range(epochs)]
    assert all(0.0 <= factor <= 1.0 for factor in factors)


@pytest.mark.parametrize(
    ("name", "epoch", "factor"),
    [
        ("none", 99, 1.0),
        ("cosine", 25, (1 + math.sqrt(0.5)) / 2),
        ("cosine", 50, 0.5),
        ("cosine", 75, (1 - math.sqrt(0.5)) / 2),
        # Cycles of 10, 20, 40 and 80 epochs, which start at 0, 10, 30 and 70.
        ("cosine_wr", 5, 0.5),
        ("cosine_wr", 10, 1.0),
        ("cosine_wr", 20, 0.5),
        ("cosine_wr", 30, 1.0),
        ("cosine_wr", 50, 0.5),
        ("cosine_wr", 70, 1.0),
        ("cosine_wr", 90, (1 + math.sqrt(0.5)) / 2),
        ("ltr", 1, 0.1),
        ("ltr", 5, 0.5),
        ("ltr", 10, 1.0),
        ("ltr", 50, 1.0),
        ("ltr", 90, 1.0),
        ("ltr", 95, 0.5),
        ("ltr", 99, 0.1),
    ],
)
def test_factor_of_a_run_of_100_epochs(name, epoch, factor):
    assert by_name(name, epoch, 100) == pytest.approx(factor, abs=ROUNDING)


@pytest.mark.parametrize("epochs", [2, 7, 10, 100, 350])
def test_cosine_goes_down_half_a_period(epochs):
    expected = [math.cos(math.pi * epoch / epochs / 2) ** 2 for epoch in range(epochs)]  # (1 + cos x)/2 = cos^2(x/2)
    assert [by_name("cosine", epoch, epochs) for epoch in range(epochs)] == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("epochs", [10, 20, 100, 350])
def test_warm_restarts_repeat_the_cosine_over_cycles_that_double(epochs):
    # Cycle k is tenth * 2**k long, and starts where those before it end: at tenth * (2**k - 1).
    tenth = epochs / 10
    for epoch in range(1, epochs):
        cycle = math.floor(math.log2(epoch / tenth + 1))
        progress = (epoch - tenth * (2**cycle - 1)) / (tenth * 2**cycle)
        expected = (1 + math.cos(math.pi * progress)) / 2
        assert by_name("cosine_wr", epoch, epochs) == pytest.approx(expected, abs=ROUNDING)


def test_steps_hold_from_their_epoch_to_the_next():
    factors = [learning_rate_factor(STEPS, epoch, 9) for epoch in range(9)]
    assert factors == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0]


def test_step_beyond_the_last_epoch_has_no_effect():
    assert [learning_rate_factor(STEPS, epoch, 3) for epoch in range(3)] == [1.0, 1.0, 1.0]
