"""Couplings of the decay in whole runs: their equalities, what is counted of them, and what is refused."""

import numpy as np
import pytest

from regbench import catalog
from regbench.engine.decay_meter import EVERY
from regbench.engine.run import run
from regbench.engine.splits import Batches, load_splits
from regbench.errors import DefinitionError
from regbench.models.quadratic import hessians
from regbench.records import Decay, Part, Schedule, learning_rate_factors

EPSILON = float(np.finfo(np.float32).eps)
RATE, EPOCHS, STEPS = 0.01, 3, 7
SGD = {"name": "sgd", "arguments": {"learning_rate": 0.01}}
STEPPED = Schedule(name="step", epochs=(1, 2), factors=(2.0, 0.5))


@pytest.fixture
def run_with(make_task):
    def do(coupling, strength, candidate="sgd", schedule="none", problem="quadratic_deep", epochs=EPOCHS, **task):
        setting = {"optimizer.learning_rate": RATE, "decay.coupling": coupling, "decay.strength": strength}
        return run(make_task(problem, candidate, schedule=schedule, epochs=epochs, **task).spec(setting, 42))

    return do


def losses(result):
    return np.array(result.losses_without_penalty["test_losses"])


def assert_same(one, other):
    """Up to rounding: each step has some ten roundings, which add up over the steps."""
    tolerance = 100 * (EPOCHS * STEPS + 2) * EPSILON / 2  # as in test_run: products of 100 columns
    assert losses(one) == pytest.approx(losses(other), rel=tolerance)
    assert one.final_weight_norm == pytest.approx(other.final_weight_norm, rel=tolerance)


def simulated(spec, take):
    """SGD on quadratic_deep in float64: the weights at the end, and the norms of what decay and step changed."""
    hessian, theta, taken_steps = next(hessians()), np.ones(100), 0
    train = load_splits("quadratic", spec.protocol, None).train
    batches = Batches(train, spec.batch_size, spec.seed, spec.protocol.reshuffle)
    of_decay, whole, left = 0.0, 0.0, 0.0
    for epoch in range(spec.epochs):
        factors = learning_rate_factors(spec.schedule, epoch, spec.epochs, batches.steps)
        for positions, factor in zip(batches.epoch(epoch), factors, strict=True):
            rate = RATE * factor
            step = rate * hessian @ (theta - train.inputs[positions].astype(float).mean(axis=0))
            taken = take(rate, theta, step)
            if taken_steps % EVERY == 0:
                of_decay += np.linalg.norm(taken)
                whole += np.linalg.norm(taken + step)
            if taken_steps % EVERY == 0 or spec.decay.coupling != "cautious":
                left += np.log(np.linalg.norm(theta - taken) / np.linalg.norm(theta))
            theta, taken_steps = theta - step - taken, taken_steps + 1
    counted = -(-taken_steps // EVERY) if spec.decay.coupling == "cautious" else taken_steps
    return theta, of_decay / whole, np.exp(left * taken_steps / counted)


TAKEN = {
    "decoupled": lambda rate, theta, step: rate * 0.5 * theta,
    "lr_squared": lambda rate, theta, step: rate**2 / RATE * 0.5 * theta,
    "timescale": lambda rate, theta, step: rate / (RATE * 0.5 * STEPS) * theta,
    "cautious": lambda rate, theta, step: rate * 0.5 * theta * (step * theta >= 0),
}


@pytest.mark.parametrize("schedule", ["none", "warmup_cosine"])
@pytest.mark.parametrize("coupling", TAKEN)
def test_run_is_that_of_numpy_and_so_is_what_is_counted_of_its_decay(coupling, schedule, run_with):
    result = run_with(coupling, 0.5, schedule=schedule)
    theta, share, left = simulated(result.spec, TAKEN[coupling])
    tolerance = 100 * (EPOCHS * STEPS + 2) * EPSILON / 2
    assert result.final_weight_norm == pytest.approx(np.linalg.norm(theta), rel=tolerance)
    assert result.decay_share == pytest.approx(share, rel=10 * tolerance)
    assert result.shrinkage == pytest.approx(left, rel=10 * tolerance)
    assert result.gradient_evaluations == EPOCHS * STEPS


@pytest.mark.parametrize("schedule", ["none", "cosine", "wsd"])
def test_l2_is_decoupled_for_plain_sgd_whatever_the_schedule(schedule, run_with):
    one, other = (run_with(coupling, 0.5, schedule=schedule) for coupling in ("l2", "decoupled"))
    assert_same(one, other)
    # The gradients of SGD are what it changes but for the rate, the same in all of them under a constant one.
    if schedule == "none":
        assert one.decay_share == pytest.approx(other.decay_share, rel=1e-3)


def test_lr_squared_and_constant_are_decoupled_at_a_constant_rate_and_not_under_a_schedule(run_with):
    of = {coupling: run_with(coupling, 0.5) for coupling in ("decoupled", "lr_squared")}
    of["constant"] = run_with("decoupled_constant", RATE * 0.5)
    assert_same(of["decoupled"], of["lr_squared"])
    assert_same(of["decoupled"], of["constant"])
    falling = [run_with(coupling, 50.0, schedule="cosine") for coupling in ("decoupled", "lr_squared")]
    assert not np.allclose(losses(falling[0]), losses(falling[1]), rtol=1e-4)


@pytest.mark.parametrize("schedule", ["none", "cosine"])
def test_timescale_is_decoupled_with_the_strength_of_its_peak_rate(schedule, run_with):
    assert_same(
        run_with("timescale", 2.0, schedule=schedule), run_with("decoupled", 1 / (RATE * 2 * STEPS), schedule=schedule)
    )


def test_peak_rate_is_that_of_the_schedule_where_it_rises_above_the_first(run_with):
    peak = 2 * RATE
    assert_same(
        run_with("timescale", 2.0, schedule=STEPPED), run_with("decoupled", 1 / (peak * 2 * STEPS), schedule=STEPPED)
    )
    squared = run_with("lr_squared", 0.5, schedule=STEPPED).shrinkage
    assert squared == pytest.approx(
        np.prod([(1 - (RATE * factor) ** 2 / peak * 0.5) ** STEPS for factor in (1.0, 2.0, 0.5)]), rel=1e-5
    )


def test_steps_in_an_epoch_count_the_last_incomplete_batch(make_task):
    rules = catalog.protocol("deepobs").model_copy(update={"whole_batches": False})
    task = make_task("digits_mlp", "sgd", epochs=1, batch_size=1000)

    def result(coupling, strength):
        setting = {"optimizer.learning_rate": RATE, "decay.coupling": coupling, "decay.strength": strength}
        spec = task.spec(setting, 42).model_copy(update={"protocol": rules})
        return run(spec)

    one, other = result("timescale", 2.0), result("decoupled", 1 / (RATE * 2 * 2))
    assert losses(one) == pytest.approx(losses(other), rel=1e-5)
    assert one.gradient_evaluations == 2


def test_timescale_of_less_than_two_steps_is_refused(run_with):
    with pytest.raises(DefinitionError, match=r"sgd: decay.`strength` must be .* at least two steps .* an epoch has 7"):
        run_with("timescale", 0.2)


def test_mask_says_which_weights_decay_after_the_step_too(make_task):
    plain = make_task("digits_mlp", "sgd", epochs=1).spec({"optimizer.learning_rate": 0.1}, 42)

    def curves(mask):
        return run(plain.model_copy(update={"decay": Decay(coupling="cautious", strength=1.0, mask=mask)})).curves

    assert curves("kernels") != curves("all")  # the biases decay too


def test_decay_is_counted_around_what_changes_some_gradients_and_not_all(make_task):
    wrapped = {"name": "signed_power", "arguments": {"inner_optimizer": SGD, "power": 0.5}}  # of kernels alone
    candidate = catalog.candidate("sgd").model_copy(update={"optimizer": Part.model_validate(wrapped)})
    result = run(
        make_task("digits_mlp", candidate, epochs=1).spec({"decay.coupling": "decoupled", "decay.strength": 0.5}, 42)
    )
    assert result.outcome == "completed", result.reason
    assert 0 < result.decay_share < 1


def test_nothing_is_counted_without_decay_and_a_diverged_run_has_no_share(run_with):
    assert run_with("none", 0.0).decay_share is None
    assert run_with("decoupled", 0.0).decay_share is None
    diverged = run_with("decoupled_constant", 1e30, epochs=2)
    assert (diverged.decay_share, diverged.shrinkage) == (None, None)


def test_l2_counts_the_gradient_of_its_term_over_the_whole_of_it(run_with):
    result = run_with("l2", 0.5)
    hessian, theta = next(hessians()), np.ones(100)
    train = load_splits("quadratic", result.spec.protocol, None).train
    penalty, whole, steps = 0.0, 0.0, 0
    for epoch in range(EPOCHS):
        for positions in Batches(train, result.spec.batch_size, 42, reshuffle=False).epoch(epoch):
            gradient = hessian @ (theta - train.inputs[positions].astype(float).mean(axis=0)) + 0.5 * theta
            if steps % EVERY == 0:
                penalty += np.linalg.norm(0.5 * theta)
                whole += np.linalg.norm(gradient)
            theta, steps = theta - RATE * gradient, steps + 1
    assert result.decay_share == pytest.approx(penalty / whole, rel=1e-4)


def test_schedule_of_steps_is_the_same_warm_and_cold_and_beside_one_of_epochs(run_with):
    from regbench.engine import program

    def curves(schedule):
        return run_with("decoupled", 0.5, schedule=schedule).curves

    program.forget()
    cold = curves("wsd")
    plain = curves("none")
    assert curves("warmup_cosine") != cold
    assert curves("wsd") == cold
    assert curves("none") == plain
    program.forget()
    assert curves("none") == plain
