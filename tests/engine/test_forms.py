"""Second gradients, weights that are evaluated apart, and what is refused around some optimizers."""

import keras
import numpy as np
import pytest

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.engine import program
from regbench.engine.build import plain_optimizer
from regbench.engine.evaluate import Evaluation
from regbench.engine.forms import settle_kernels
from regbench.engine.host import check_host
from regbench.engine.run import run
from regbench.engine.splits import load_splits
from regbench.engine.weights import Weights
from regbench.errors import DefinitionError
from regbench.optimizers import AveragedWeights, CautiousStep, NormPinned, SharpnessAware
from regbench.records import MINIBATCH, Candidate, Decay, Part, Schedule


def part(name, **arguments):
    return Part(name=name, arguments=arguments)


MOMENTUM = part("sgd", learning_rate=0.05, momentum=0.9)
ADAM = part("adam", learning_rate=0.01, beta_1=0.0)


@pytest.fixture(scope="module")
def normalized():
    """A small network with batch normalization and dropout."""
    deep = catalog.problem("mnist_deep_mlp")
    model = Part(name=deep.model.name, arguments=deep.model.arguments | {"units": [8]})
    return deep.model_copy(update={"dataset": "digits", "model": model})


@pytest.fixture(scope="module")
def linear():
    """A network of one kernel, for tests that are about something else."""
    return catalog.problem("digits_mlp").model_copy(update={"model": part("logreg")})


@pytest.fixture
def make_spec():
    def make(optimizer, problem="digits_mlp", epochs=2, decay=None, schedule="none", regularizer=None):
        record = {"name": "one", "summary": "", "source": "", "optimizer": optimizer, "regularizer": regularizer}
        candidate = Candidate.model_validate(record | {"decay": decay or Decay()})
        return Task.of(problem, candidate, epochs=epochs, schedule=schedule).spec({}, 42)

    return make


def curves(result):
    return result.curves | {"without": result.losses_without_penalty}


def prepared_run(spec):
    splits = load_splits(spec.problem.dataset, spec.protocol, None, spec.problem.selection, spec.seed)
    return program.PreparedRun(spec, splits)


def test_second_gradient_at_the_same_place_changes_no_bit(make_spec, normalized):
    same = part("sharpness_aware", inner_optimizer=MOMENTUM, rho=0.0)
    plain, twice = (run(make_spec(one, normalized, 1)) for one in (MOMENTUM, same))
    assert curves(twice) == curves(plain)


def test_second_gradient_goes_with_a_decay_that_is_counted(make_spec, linear):
    decay = Decay(coupling="decoupled", strength=0.1)
    same = part("sharpness_aware", inner_optimizer=MOMENTUM, rho=0.0)
    plain, twice = (run(make_spec(one, linear, 1, decay=decay)) for one in (MOMENTUM, same))
    assert curves(twice) == curves(plain)
    assert twice.decay_share == plain.decay_share > 0
    assert twice.gradient_evaluations == 2 * plain.gradient_evaluations


def test_what_a_penalty_carries_goes_on_once_a_step(make_spec):
    objective = prepared_run(make_spec(MOMENTUM, regularizer=part("spectral_norm", factor=0.1)))._program.objective
    nothing, before = [None] * len(objective.model.trainable_variables), objective._carried[0].numpy()
    first, gradients = objective.with_penalty(nothing, advances=False)
    np.testing.assert_array_equal(objective._carried[0].numpy(), before)
    again, _ = objective.with_penalty(nothing)
    assert float(first) == float(again) > 0
    assert np.any(objective._carried[0].numpy() != before)
    assert gradients[1] is None
    assert np.any(gradients[0])


def test_second_gradient_is_that_of_the_objective_uphill(make_spec, linear):
    """Two steps of plain SGD on softmax regression with L2, beside NumPy in float64."""
    sharp = part("sharpness_aware", inner_optimizer=part("sgd", learning_rate=0.5), rho=0.5)
    spec = make_spec(sharp, linear, 1, decay=Decay(coupling="l2", strength=0.1))
    prepared = prepared_run(spec)
    prepared.compile()
    objective, batches = prepared._program.objective, prepared._first_batches.numpy()
    kernel, bias = (weight.astype(float) for weight in objective.model.get_weights())
    targets = prepared._program.train.targets.numpy()

    def gradients(kernel, bias, batch):
        inputs = objective.prepare(prepared._program.train.inputs.numpy()[batch], False, None, 0).numpy().astype(float)
        inputs = inputs.reshape(len(batch), -1)
        odds = np.exp(inputs @ kernel + bias)
        shares = odds / odds.sum(axis=1, keepdims=True)
        right = np.eye(10)[targets[batch]]
        loss = -np.log((shares * right).sum(axis=1)).mean() + 0.05 * (kernel**2).sum()
        slope = (shares - right) / len(batch)
        return loss, inputs.T @ slope + 0.1 * kernel, slope.sum(axis=0)

    expected = []
    for batch in batches:
        loss, of_kernel, of_bias = gradients(kernel, bias, batch)
        size = 0.5 / np.sqrt((of_kernel**2).sum() + (of_bias**2).sum())
        _, of_kernel, of_bias = gradients(kernel + size * of_kernel, bias + size * of_bias, batch)
        kernel, bias = kernel - 0.5 * of_kernel, bias - 0.5 * of_bias
        expected.append(loss)
    np.testing.assert_allclose(prepared.train(0, [1.0]), expected, rtol=1e-4)
    np.testing.assert_allclose(objective.model.get_weights()[0], kernel, rtol=0, atol=1e-4)


def test_average_is_evaluated_and_the_training_does_not_know_of_it(make_spec, normalized):
    average = part("averaged_weights", inner_optimizer=MOMENTUM)
    plain, averaged = run(make_spec(MOMENTUM, normalized)), run(make_spec(average, normalized))
    assert averaged.curves[MINIBATCH] == plain.curves[MINIBATCH]
    assert averaged.curves["test_losses"][0] == plain.curves["test_losses"][0]
    assert averaged.curves["test_losses"][2] != plain.curves["test_losses"][2]


def test_mean_has_a_sample_an_epoch(make_spec, linear):
    kernels = [run(make_spec(MOMENTUM, linear, epochs), keep_kernels=True).kernels for epochs in (1, 2, 3)]
    averaged = run(make_spec(part("averaged_weights", inner_optimizer=MOMENTUM, start=1), linear, 3), keep_kernels=True)
    for layer, kernel in averaged.kernels.items():
        mean = (kernels[1][layer].array() + kernels[2][layer].array()) / 2
        np.testing.assert_allclose(kernel.array(), mean, rtol=0, atol=1e-6)


def test_incomplete_batch_is_trained_and_then_the_average_shown(make_spec, linear):
    spec = make_spec(part("averaged_weights", inner_optimizer=MOMENTUM, momentum=0.9), linear)
    rules = spec.protocol.model_copy(update={"whole_batches": False})
    plain = make_spec(MOMENTUM, linear).model_copy(update={"protocol": rules})
    averaged = spec.model_copy(update={"protocol": rules})
    assert run(averaged).curves[MINIBATCH] == run(plain).curves[MINIBATCH]


def test_statistics_are_those_of_the_weights_that_are_shown_and_the_trained_ones_come_back(make_spec, normalized):
    spec = make_spec(part("averaged_weights", inner_optimizer=MOMENTUM, momentum=0.9), normalized)
    prepared = prepared_run(spec)
    prepared.compile()
    prepared.train(0, [1.0])
    model, training = prepared._program.objective.model, prepared._training
    (first, *_) = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = keras.Model(model.inputs, first.input)
    means = [
        np.mean(
            before(prepared._program.objective.prepare(prepared._program.train.inputs.numpy()[batch], False, None, 0)),
            0,
        )
        for batch in prepared._first_batches.numpy()
    ]
    np.testing.assert_allclose(first.moving_mean.numpy(), np.mean(means, axis=0), rtol=1e-4, atol=1e-5)
    shown = [weight.copy() for weight in model.get_weights()]
    assert isinstance(prepared.evaluate()["test"], Evaluation)
    training.train_on()
    trained = model.get_weights()
    assert any(np.any(one != other) for one, other in zip(shown, trained, strict=True))
    plain = prepared_run(make_spec(MOMENTUM, normalized))
    plain.compile()
    plain.train(0, [1.0])
    for one, other in zip(trained, plain._program.objective.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_norms_of_hidden_kernels_stay_in_a_run(make_spec):
    prepared = prepared_run(make_spec(part("norm_pinned", inner_optimizer=ADAM)))
    kernels = [prepared._program.objective.kernels()]
    prepared.compile()
    prepared.train(0, [1.0])
    kernels.append(prepared._program.objective.kernels())
    before, after = ([float(np.linalg.norm(kernel)) for kernel in of_all.values()] for of_all in kernels)
    assert after[:-1] == pytest.approx(before[:-1], rel=1e-5)
    assert after[-1] != pytest.approx(before[-1], rel=1e-3)  # the outputs are free


def test_decoupled_decay_of_schedule_free_acts_at_its_point(make_spec, linear):
    free = part("schedule_free", inner_optimizer=ADAM)
    plain, weak, strong = (
        run(make_spec(free, linear, 1, decay=Decay(coupling="decoupled", strength=strength) if strength else None))
        for strength in (0.0, 0.1, 1.0)
    )
    assert plain.final_weight_norm > weak.final_weight_norm > strong.final_weight_norm
    assert strong.shrinkage is None
    assert len({result.curves[MINIBATCH][0] for result in (plain, weak, strong)}) == 1


FREE, PINNED = (part(name, inner_optimizer=ADAM) for name in ("schedule_free", "norm_pinned"))
OWN_FREE, OWN_PINNED = (
    part(f"regbench.optimizers:{name}", inner_optimizer=ADAM) for name in ("ScheduleFree", "NormPinned")
)


@pytest.mark.parametrize(
    ("optimizer", "decay", "schedule", "message"),
    [
        (PINNED, "decoupled", "none", "decay.coupling: must not be decoupled with norm_pinned: it pins .* Received: "),
        (OWN_PINNED, "cautious", "none", "decay.coupling: must be none or l2 with NormPinned: .* Received: 'cautious'"),
        (FREE, "decoupled_constant", "none", "decay.coupling: must not be decoupled_constant with schedule_free: "),
        (OWN_FREE, "lr_squared", "none", "decay.coupling: must be none, l2, decoupled or timescale with ScheduleFree"),
        (FREE, "none", "cosine", "schedule: must be none with ScheduleFree: .* Received: 'cosine'"),
        (
            part("schedule_free", inner_optimizer=ADAM, strength=0.1),
            *("none", "none", "optimizer.strength: decay belongs into .* Received: strength=0.1"),
        ),
    ],
)
def test_decay_and_schedule_that_would_be_something_else_are_refused(make_spec, optimizer, decay, schedule, message):
    of_candidate = Decay(coupling=decay, strength=0.1 if decay != "none" else 0.0)
    with pytest.raises(DefinitionError, match=message):
        plain_optimizer(make_spec(optimizer, decay=of_candidate, schedule=schedule))


def test_l2_acts_where_other_decays_are_refused(make_spec):
    assert plain_optimizer(make_spec(PINNED, decay=Decay(coupling="l2", strength=0.1)))


def test_kernel_of_zeros_cannot_be_pinned():
    layers = [keras.layers.Dense(3, kernel_initializer="zeros", name="hidden"), keras.layers.Dense(2)]
    weights = Weights(keras.Sequential([keras.Input((4,)), *layers]))
    with pytest.raises(DefinitionError, match=r"which must not be 0\. Received: zeros in `hidden/kernel`"):
        settle_kernels(NormPinned(keras.optimizers.SGD()), weights)
    settle_kernels(NormPinned(keras.optimizers.SGD(), radius=1.0), weights)


@pytest.mark.parametrize("wrap", [CautiousStep, SharpnessAware, AveragedWeights])
def test_what_acts_around_the_step_cannot_be_around_a_guest(make_spec, wrap):
    class Guest:
        part = Part(name="torch:SGD")
        learning_rate = 0.1
        refuses_decay = ""

    with pytest.raises(DefinitionError, match=f"optimizer: `{wrap.__name__}` must not be around torch:SGD"):
        check_host(make_spec(MOMENTUM), wrap(keras.optimizers.SGD()), Guest(), False)


def test_schedule_of_a_run_acts_on_the_rate_inside(make_spec, linear):
    step = Schedule(name="step", epochs=(1,), factors=(0.0,))
    spec = make_spec(part("cautious_step", inner_optimizer=ADAM), linear)
    still = run(spec.model_copy(update={"schedule": step}))
    assert still.curves["train_losses"][1] == still.curves["train_losses"][2]
