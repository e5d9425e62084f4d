"""The factor on the learning rate in each epoch, or in each step."""

import math

import pytest

from regbench import catalog
from regbench.errors import DefinitionError
from regbench.records import EACH_STEP, Schedule, learning_rate_factor, learning_rate_factors, peak_factor

STEPS = Schedule(name="step", epochs=(3, 6), factors=(0.5, 0.0))
OLD = Schedule(name="ltr", version=1)
EVERY = [*(catalog.schedule(name) for name in catalog.SCHEDULES if name not in ("step", *EACH_STEP)), STEPS, OLD]
ROUNDING = 1e-12


def by_name(name, epoch, epochs):
    return learning_rate_factor(catalog.schedule(name), epoch, epochs)


def test_every_schedule_of_the_catalogue_is_tested_here():
    assert {schedule.name for schedule in EVERY} | set(EACH_STEP) == set(catalog.SCHEDULES)


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: schedule.title)
@pytest.mark.parametrize("epochs", [1, 2, 7, 100])
def test_first_epoch_is_trained_at_the_full_rate(schedule, epochs):
    assert learning_rate_factor(schedule, 0, epochs) == 1.0


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: schedule.title)
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
        ("ltr", 91, 10 / 11),
        ("ltr", 95, 6 / 11),
        ("ltr", 99, 2 / 11),
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


@pytest.mark.parametrize("epochs", [50, 100])
def test_trapezoid_has_the_published_factors(epochs):
    """As result files of Crowded Valley list them for the epochs 1 to T: up in T/10, down in T/10 steps of T/10 + 1."""
    tenth = epochs // 10
    up = [step / tenth for step in range(1, tenth + 1)]
    down = [step / (tenth + 1) for step in range(tenth, 0, -1)]
    published = up + [1.0] * (epochs - 2 * tenth) + down
    assert [by_name("ltr", epoch, epochs) for epoch in range(1, epochs + 1)] == pytest.approx(published, abs=ROUNDING)


def test_trapezoid_of_version_1_keeps_its_ramp():
    down = [learning_rate_factor(OLD, epoch, 100) for epoch in range(90, 101)]
    assert down == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], abs=ROUNDING)
    assert (OLD.title, catalog.schedule("ltr").title) == ("ltr of format version 1", "ltr")


def of_steps(name, epochs, steps, warmup=None):
    schedule = catalog.schedule(name, warmup=warmup)
    return [factor for epoch in range(epochs) for factor in learning_rate_factors(schedule, epoch, epochs, steps)]


def expected(name, total, rising, falling):
    """Written anew, step by step."""
    factors = []
    for step in range(total):
        if step < rising:
            factors.append((step + 1) / rising)
        elif name == "wsd":
            factors.append(1.0 if total - step >= falling else (total - step) / falling)
        else:
            left = (total - step) / (total - rising)
            factors.append(math.sin(math.pi * left / 2) ** 2 if name == "warmup_cosine" else left)
    return factors


@pytest.mark.parametrize("name", EACH_STEP)
@pytest.mark.parametrize(
    ("epochs", "steps", "warmup", "rising", "falling"),
    [(10, 10, None, 5, 20), (3, 7, 0.3, 6, 4), (4, 25, 0.0, 0, 20), (1, 1, None, 0, 0), (1, 2, 0.5, 1, 0)],
)
def test_warm_up_is_followed_by_the_fall_step_by_step(name, epochs, steps, warmup, rising, falling):
    factors = of_steps(name, epochs, steps, warmup)
    assert factors == pytest.approx(expected(name, epochs * steps, rising, falling or 1), abs=ROUNDING)
    assert peak_factor(catalog.schedule(name, warmup=warmup), epochs, steps) == 1.0


def test_other_schedules_have_one_factor_in_all_steps_of_an_epoch():
    assert learning_rate_factors(STEPS, 4, 9, 3) == [0.5, 0.5, 0.5]
    assert peak_factor(Schedule(name="step", epochs=(1, 2), factors=(3.0, 0.5)), 2, 5) == 3.0
    assert peak_factor(Schedule(name="step", epochs=(1, 2), factors=(0.5, 3.0)), 2, 5) == 1.0  # epoch 2 never comes


@pytest.mark.parametrize("name", EACH_STEP)
def test_schedule_of_steps_has_no_factor_of_an_epoch(name):
    with pytest.raises(ValueError, match=f"must have one factor an epoch. Received: '{name}'"):
        learning_rate_factor(catalog.schedule(name), 0, 3)


def test_schedules_with_another_warm_up_are_told_apart_and_files_of_before_stay_as_they_were():
    assert catalog.schedule("wsd").title == "wsd"
    assert catalog.schedule("wsd", warmup=0.1).title == "wsd 0.1"
    assert "warmup" not in catalog.schedule("cosine").model_dump()
    assert "warmup" not in catalog.schedule("wsd").model_dump()
    assert catalog.schedule("wsd", warmup=0.1).model_dump()["warmup"] == 0.1


@pytest.mark.parametrize(
    ("name", "warmup", "message"),
    [
        ("cosine", 0.1, "belongs to the schedules warmup_cosine, warmup_linear, wsd. Received: 'cosine'"),
        ("wsd", 1.0, "`warmup` must be in .0, 1., a share of all steps. Received: warmup=1.0"),
        ("wsd", -0.1, "Received: warmup=-0.1"),
        ("wsd", math.nan, "finite number"),
    ],
)
def test_warm_up_that_means_nothing_is_refused(name, warmup, message):
    with pytest.raises(DefinitionError, match=message):
        catalog.schedule(name, warmup=warmup)
