"""What a run records, and its trajectory against NumPy in float64."""

import math

import keras
import numpy as np
import pytest

from regbench import catalog, datasets
from regbench.engine import program, splits
from regbench.engine.run import run
from regbench.engine.splits import Batches, load_splits
from regbench.errors import DefinitionError
from regbench.models.quadratic import hessians
from regbench.records import Outcome, Part, Schedule, learning_rate_factor
from regbench.tuning import space

EPSILON = float(np.finfo(np.float32).eps)
RATE = {"optimizer.learning_rate": 0.01}
STEPS = Schedule(name="step", epochs=(1, 2), factors=(0.5, 0.0))
SPLITS = ("train", "valid", "test")


@pytest.fixture
def run_with(make_task):
    """Runs a candidate with a setting; `task` are the arguments of `make_task`."""

    def do(setting=RATE, seed=42, max_seconds=None, **task):
        return run(make_task(**task).spec(setting, seed), max_seconds=max_seconds)

    return do


def mean_loss(theta, hessian, samples):
    difference = theta - samples
    return 0.5 * np.einsum("ni,ij,nj->n", difference, hessian, difference).mean()


def simulate(spec, decay=0.0):
    """SGD on quadratic_deep with decoupled decay: final theta, loss before every step, test loss before every epoch."""
    hessian = next(hessians())
    loaded = load_splits("quadratic", spec.protocol, None)
    train, test = (samples.inputs.astype(np.float64) for samples in (loaded.train, loaded.test))
    test = test if spec.protocol.every_sample else test[:896]
    batches = Batches(loaded.train, spec.batch_size, spec.seed, spec.protocol.reshuffle)
    theta, step_losses = np.ones(100), []
    test_losses = [mean_loss(theta, hessian, test)]
    for epoch in range(spec.epochs):
        rate = spec.optimizer.arguments["learning_rate"] * learning_rate_factor(spec.schedule, epoch, spec.epochs)
        for positions in batches.epoch(epoch):
            step_losses.append(mean_loss(theta, hessian, train[positions]))
            gradient = hessian @ (theta - train[positions].mean(axis=0))
            theta = theta - rate * decay * theta - rate * gradient
        test_losses.append(mean_loss(theta, hessian, test))
    return theta, step_losses, test_losses


@pytest.mark.parametrize("protocol", ["deepobs", "strict"])
@pytest.mark.parametrize("schedule", [Schedule(), Schedule(name="cosine"), STEPS], ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_gradient_descent_on_the_quadratic_is_that_of_numpy(strength, schedule, protocol, make_task):
    setting = RATE | {"decay.coupling": "decoupled", "decay.strength": strength}
    spec = make_task("quadratic_deep", "sgd", protocol=protocol, schedule=schedule, epochs=4).spec(setting, seed=42)
    result = run(spec)
    theta, step_losses, test_losses = simulate(spec, decay=strength)
    # A step multiplies by a matrix of 100 columns: in the worst case its error is 100 half units in the last place, and
    # each of the steps adds that much once more; so do the two products in the loss.
    tolerance = 100 * (len(step_losses) + 2) * EPSILON / 2
    assert result.curves["minibatch_train_losses"] == pytest.approx(step_losses, rel=tolerance)
    assert result.curves["test_losses"] == pytest.approx(test_losses, rel=tolerance)
    assert result.final_weight_norm == pytest.approx(np.linalg.norm(theta), rel=tolerance)


def test_losses_of_the_quadratic_before_training_are_the_published_ones(run_with):
    for protocol in ("deepobs", "deepobs-1.1"):
        curves = run_with(protocol=protocol, epochs=0).curves
        assert curves["test_losses"] == pytest.approx([353.4468], abs=1e-3)
        assert curves.get("valid_losses", [353.8128]) == pytest.approx([353.8128], abs=1e-3)


@pytest.mark.parametrize("problem", ["quadratic_deep", "digits_mlp"])
@pytest.mark.parametrize("protocol", ["deepobs", "deepobs-1.1", "strict"])
def test_curves_have_a_value_before_training_and_one_after_each_epoch(protocol, problem, run_with):
    result = run_with(problem=problem, protocol=protocol, epochs=2)
    kept = SPLITS if catalog.protocol(protocol).validation else ("train", "test")
    kinds = ("losses", "accuracies") if problem == "digits_mlp" else ("losses",)
    names = {f"{split}_{kind}" for kind in kinds for split in kept}
    assert result.outcome == Outcome.COMPLETED
    assert set(result.curves) == names | {"minibatch_train_losses"}
    assert set(result.losses_without_penalty) == {f"{split}_losses" for split in kept}
    assert {len(result.curves[name]) for name in names} == {3}
    steps = 7 if problem == "quadratic_deep" else 1197 // 64
    assert len(result.curves["minibatch_train_losses"]) == 2 * steps


def test_training_makes_the_digits_recognisable(run_with):
    accuracies = run_with({"optimizer.learning_rate": 0.1}, problem="digits_mlp", epochs=10).curves["test_accuracies"]
    assert accuracies[0] < 0.3
    assert accuracies[-1] > 0.8


@pytest.mark.parametrize("problem", ["quadratic_deep", "digits_mlp"])
def test_penalty_is_part_of_the_losses_and_can_be_taken_out_of_them(problem, run_with):
    l2 = 0.02
    with_l2 = run_with(RATE | {"decay.coupling": "l2", "decay.strength": l2}, problem=problem, epochs=2)
    without = run_with(RATE | {"decay.coupling": "none", "decay.strength": 0.0}, problem=problem, epochs=2)
    penalties = {
        tuple(np.subtract(with_l2.curves[f"{split}_losses"], with_l2.losses_without_penalty[f"{split}_losses"]))
        for split in SPLITS
    }
    rounding = 4 * 354 * 2**-53  # loss and penalty are added, and here subtracted again, in float64
    first, *_, last = np.mean(list(penalties), axis=0)
    assert np.ptp(list(penalties), axis=0).max() <= rounding
    kernels = [weights.astype(np.float64) for weights in initial_weights(problem, 42) if weights.ndim >= 2]
    count = sum(kernel.size for kernel in kernels)
    expected = l2 / 2 * sum((kernel**2).sum() for kernel in kernels)
    # In the worst case a sum of squares is wrong by half a unit for each term.
    assert first == pytest.approx(expected, rel=count * EPSILON / 2)
    if problem == "quadratic_deep":  # its only variable is a kernel
        assert last == pytest.approx(l2 / 2 * with_l2.final_weight_norm**2, rel=2 * count * EPSILON / 2)
    assert without.curves["test_losses"] == without.losses_without_penalty["test_losses"]
    assert without.curves["test_losses"][0] == with_l2.losses_without_penalty["test_losses"][0]
    assert without.curves["test_losses"][-1] != with_l2.losses_without_penalty["test_losses"][-1]
    for split in SPLITS if problem == "digits_mlp" else ():
        assert without.curves[f"{split}_accuracies"][0] == with_l2.curves[f"{split}_accuracies"][0]


def initial_weights(problem, seed):
    keras.utils.set_random_seed(seed)
    record = catalog.problem(problem)
    model = program.build_model(record, datasets.get(record.dataset))
    return [variable.numpy() for variable in model.trainable_variables]


@pytest.mark.parametrize(("problem", "rate", "steps"), [("quadratic_deep", 0.02, 7), ("digits_mlp", 0.1, 18)])
def test_l2_and_decoupled_decay_are_the_same_for_plain_gradient_descent(problem, rate, steps, run_with):
    def losses(coupling, strength):
        setting = {"optimizer.learning_rate": rate, "decay.coupling": coupling, "decay.strength": strength}
        return run_with(setting, problem=problem).losses_without_penalty

    l2, decoupled, none = losses("l2", 0.5), losses("decoupled", 0.5), losses("none", 0.0)
    # Rounding as in the comparison with NumPy; the two layers of digits_mlp have sums of 64 and 32 terms.
    tolerance = 100 * (3 * steps + 2) * EPSILON / 2
    for split in l2:
        assert l2[split] == pytest.approx(decoupled[split], rel=tolerance)
        assert l2[split] != pytest.approx(none[split], rel=10 * tolerance)


COUPLINGS = (
    ("none", 0.0, 0.5),
    ("l2", 0.1, 0.5),
    ("decoupled", 0.4, 0.5),
    ("l2", 0.4, 0.5),
    ("decoupled_momentum", 0.4, 0.5),
    ("decoupled_constant", 0.004, 0.5),
    ("decoupled_momentum", 0.2, 0.25),
    ("l2", 0.1, 0.25),
)


def test_every_coupling_is_that_of_numpy_in_programs_that_were_used_before(make_task):
    for coupling, strength, momentum in COUPLINGS:
        setting = RATE | {"optimizer.momentum": momentum, "decay.coupling": coupling, "decay.strength": strength}
        spec = make_task("quadratic_deep", "momentum", epochs=1).spec(setting, seed=42)
        result = run(spec)
        step_losses, test_losses = simulate_momentum(spec)
        # As above; with momentum an error goes on for 1 / (1 - momentum) steps.
        tolerance = 100 * (len(step_losses) + 2) * EPSILON / 2 / (1 - momentum)
        assert result.curves["minibatch_train_losses"] == pytest.approx(step_losses, rel=tolerance), setting
        assert result.curves["test_losses"] == pytest.approx(test_losses, rel=tolerance), setting


def simulate_momentum(spec):
    """Heavy-ball momentum on quadratic_deep with decay: losses with the penalty before every step and every epoch."""
    hessian = next(hessians())
    loaded = load_splits("quadratic", spec.protocol, None)
    train, test = (samples.inputs.astype(np.float64) for samples in (loaded.train, loaded.test))
    batches = Batches(loaded.train, spec.batch_size, spec.seed, spec.protocol.reshuffle)
    rate, momentum = (spec.optimizer.arguments[name] for name in ("learning_rate", "momentum"))
    strength, coupling = spec.decay_strength, spec.decay.coupling
    l2 = strength if coupling == "l2" else 0.0
    factors = {"decoupled": rate, "decoupled_momentum": rate / (1 - momentum), "decoupled_constant": 1.0}
    factor = factors.get(coupling, 0.0) * strength
    theta, velocity, step_losses, test_losses = np.ones(100), np.zeros(100), [], []
    for positions in batches.epoch(0):
        step_losses.append(mean_loss(theta, hessian, train[positions]) + l2 / 2 * theta @ theta)
        gradient = hessian @ (theta - train[positions].mean(axis=0)) + l2 * theta
        velocity = momentum * velocity - rate * gradient
        theta = (1 - factor) * theta + velocity
    for weights in (np.ones(100), theta):
        test_losses.append(mean_loss(weights, hessian, test[:896]) + l2 / 2 * weights @ weights)
    return step_losses, test_losses


@pytest.mark.parametrize("coupling", ["decoupled", "decoupled_momentum", "decoupled_constant"])
def test_strength_of_the_decay_has_an_effect_in_a_program_that_was_used_before(coupling, run_with):
    setting = RATE | {"optimizer.momentum": 0.9, "decay.coupling": coupling}
    norms = [
        run_with(setting | {"decay.strength": strength}, candidate="momentum", epochs=1).final_weight_norm
        for strength in (0.001, 0.3, 0.001)
    ]
    assert norms[1] < norms[0] == norms[2]


def test_run_that_diverges_stops_at_once_and_says_when(run_with):
    # At this rate the direction of the largest eigenvalue grows by 1.15 a step and 2.6 an epoch, the loss by its
    # square: it takes a few epochs until the loss is absurd.
    largest = np.linalg.eigvalsh(next(hessians()))[-1]
    result = run_with({"optimizer.learning_rate": 2.15 / float(largest)}, epochs=40)
    epoch = result.diverged_epoch
    assert result.outcome == Outcome.DIVERGED
    assert 3 < epoch < 40
    assert str(epoch) in result.reason
    assert len(result.curves["minibatch_train_losses"]) == 7 * epoch
    for split in SPLITS:
        curve = result.curves[f"{split}_losses"]
        assert len(curve) == 41
        assert curve[1:epoch] == sorted(curve[1:epoch])
        assert curve[epoch - 1] > 1e3 * curve[0]
        assert curve[epoch:] == [curve[0]] * (41 - epoch)
        assert result.losses_without_penalty[f"{split}_losses"] == curve
    assert result.score() == catalog.problem("quadratic_deep").chance


def test_run_whose_losses_overflow_diverges_in_the_first_epoch(run_with):
    result = run_with({"optimizer.learning_rate": 1e30}, problem="digits_mlp", epochs=3)
    assert (result.outcome, result.diverged_epoch) == (Outcome.DIVERGED, 1)
    assert result.curves["test_accuracies"] == [result.curves["test_accuracies"][0]] * 4
    assert result.final_weight_norm is None


def test_run_that_diverges_under_deepobs_1_1_is_not_filled(run_with):
    result = run_with({"optimizer.learning_rate": 1e30}, problem="digits_mlp", epochs=3, protocol="deepobs-1.1")
    assert (result.outcome, result.diverged_epoch) == (Outcome.DIVERGED, 1)
    before, at_divergence, *after = result.curves["test_losses"]
    assert math.isfinite(before)
    assert not math.isfinite(at_divergence)
    assert len(after) == 2
    assert all(math.isnan(loss) for loss in after)
    assert len(set(result.curves["test_accuracies"][1:])) == 1
    assert result.score() == catalog.problem("digits_mlp").chance


def test_run_that_takes_too_long_stops_after_the_epoch(run_with):
    result = run_with(max_seconds=0.0, epochs=5)
    assert result.outcome == Outcome.TIMED_OUT
    assert result.reason == "took longer than 0 seconds"
    assert len(result.curves["test_losses"]) == 2
    assert len(result.curves["minibatch_train_losses"]) == 7


def test_run_that_is_over_is_not_too_late(run_with):
    assert run_with(max_seconds=0.0, epochs=1).outcome == Outcome.COMPLETED
    assert run_with(max_seconds=1e6, epochs=2).outcome == Outcome.COMPLETED


def test_run_without_epochs_evaluates_once(run_with):
    result = run_with(problem="digits_mlp", epochs=0)
    assert result.outcome == Outcome.COMPLETED
    assert {len(curve) for name, curve in result.curves.items() if name != "minibatch_train_losses"} == {1}
    assert result.curves["minibatch_train_losses"] == []


def test_run_records_data_timings_and_environment(make_task):
    result = run(make_task("digits_mlp").spec(RATE, seed=42), concurrent_runs=3)
    assert result.data_digest == datasets.load("digits").digest
    timings = result.timings.model_dump()
    total = timings.pop("total_seconds")
    assert all(seconds > 0 for seconds in timings.values())
    assert sum(timings.values()) <= total
    assert result.environment["concurrent_runs"] == 3
    assert result.environment["threads"] >= 1
    assert result.environment["peak_memory_mib"] > 100
    assert {"regbench", "keras", "tensorflow", "python", "device"} <= set(result.environment)


@pytest.mark.parametrize("given", ["", "many", "-1"])
def test_number_of_threads_that_is_none_loses_no_run(given, make_task, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
    result = run(make_task("digits_mlp", epochs=0).spec(RATE, seed=42))
    assert result.environment["threads"] >= 1


SHRINKAGES = {
    "decoupled": (1 - 0.02 * 0.5) ** 7 * (1 - 0.01 * 0.5) ** 7,
    "decoupled_constant": (1 - 0.5) ** 21,
    "decoupled_momentum": None,
    "l2": None,
}


@pytest.mark.parametrize("coupling", SHRINKAGES)
def test_shrinkage_is_what_decay_alone_leaves_of_a_weight(coupling, run_with):
    setting = {"optimizer.learning_rate": 0.02, "decay.coupling": coupling, "decay.strength": 0.5}
    shrinkage = run_with(setting, schedule=STEPS).shrinkage  # three epochs of seven steps, the last at rate 0
    assert shrinkage == (None if SHRINKAGES[coupling] is None else pytest.approx(SHRINKAGES[coupling], rel=1e-6))


def test_shrinkage_takes_the_learning_rate_of_the_innermost_optimizer(make_task, make_candidate):
    inner = Part(name="sgd", arguments={"learning_rate": 0.02})
    candidate = make_candidate("regbench.optimizers:Lookahead", inner_optimizer=inner)
    setting = {"decay.coupling": "decoupled", "decay.strength": 0.5}
    shrinkage = run(make_task(candidate=space.override(candidate, setting), schedule=STEPS).spec({}, 42)).shrinkage
    assert shrinkage == pytest.approx(SHRINKAGES["decoupled"], rel=1e-6)


def test_shrinkage_beyond_all_numbers_is_left_out(run_with):
    setting = RATE | {"decay.coupling": "decoupled_constant", "decay.strength": 1e30}
    assert run_with(setting, epochs=10).shrinkage is None


def test_batch_size_that_does_not_fit_the_data_is_bad_input(run_with):
    with pytest.raises(DefinitionError, match="`batch_size` must be at most 1197"):
        run_with(problem="digits_mlp", batch_size=1198)
    with pytest.raises(DefinitionError, match="`batch_size` must be at most 1000, the number of training samples"):
        run_with(batch_size=1001)


def test_run_of_an_own_batch_size_has_the_right_number_of_steps(run_with):
    curves = run_with(problem="digits_mlp", batch_size=300, epochs=2).curves
    assert len(curves["minibatch_train_losses"]) == 2 * 3
    assert math.isfinite(curves["test_losses"][-1])


def test_splits_are_kept_between_the_runs_of_a_process(run_with):
    run_with(epochs=0)
    before = splits._load.cache_info().misses
    run_with(epochs=0, seed=43)
    assert splits._load.cache_info().misses == before


def test_kernels_are_kept_where_they_are_wanted(make_task):
    spec = make_task("digits_2c2d", epochs=0).spec({"optimizer.learning_rate": 0.1}, 42)
    assert run(spec).kernels == {}
    result = run(spec, keep_kernels=True)
    shapes = {layer: kernel.shape for layer, kernel in result.kernels.items()}
    assert shapes == {
        "convolution_1": (5, 5, 1, 8),
        "convolution_2": (5, 5, 8, 16),
        "dense_1": (64, 64),
        "logits": (64, 10),
    }
    # The biases of 0.05 are no kernels.
    biases = (8 + 16 + 64 + 10) * 0.05**2
    squares = sum(float(np.sum(kernel.array().astype(np.float64) ** 2)) for kernel in result.kernels.values())
    assert np.sqrt(squares + biases) == pytest.approx(result.final_weight_norm, rel=1e-5)
