"""What changes between epochs or from run to run: scheduled factors, new optimizers, carried blocks, drawn images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.engine import environment, program
from regbench.engine.build import build_regularizer
from regbench.engine.inputs import preprocess
from regbench.engine.network import build_model
from regbench.engine.run import run
from regbench.engine.splits import Batches, dataset_of, load_splits
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import MINIBATCH, Candidate, Part, Schedule, Selection

STRICT = catalog.protocol("strict")
SCHEDULED = {"value": 1e-2, "epochs": [21, 51, 71, 121], "factors": [1e-3, 1e-4, 1e-6, 0.0]}
FEW = catalog.problem("digits_mlp").model_copy(
    update={"selection": Selection(train_per_class=6, draw="seed", passes=2), "batch_size": 20, "epochs": 2}
)


@pytest.fixture
def make_spec():
    """A spec with these parts."""

    def make(optimizer, regularizer=None, problem="digits_mlp", epochs=2, seed=42, **others):
        one = {"name": "one", "summary": "", "source": "", "optimizer": optimizer, "regularizer": regularizer}
        return Task.of(problem, Candidate.model_validate(one), epochs=epochs, **others).spec({}, seed)

    return make


def part(name, **arguments):
    return Part(name=name, arguments=arguments)


MOMENTUM = part("sgd", learning_rate=0.05, momentum=0.9)


def curves(result):
    return result.curves | {"without": result.losses_without_penalty}


@pytest.mark.parametrize("wrapped", [False, True])
def test_scheduled_factor_has_the_values_of_its_epochs(make_spec, wrapped):
    penalty = part("orthogonal", factor=part("scheduled", **SCHEDULED))
    spec = make_spec(MOMENTUM, part("per_layer", logits=penalty) if wrapped else penalty)
    for epoch, factor in ((0, 1e-2), (20, 1e-2), (21, 1e-5), (50, 1e-5), (51, 1e-6), (71, 1e-8), (121, 0.0)):
        built = build_regularizer(spec, epoch)
        assert (built["logits"] if wrapped else built).factor == pytest.approx(factor, abs=0, rel=1e-12)


def test_penalty_of_each_epoch_is_that_of_its_factor(make_spec):
    factor = part("scheduled", value=0.1, epochs=[1, 2], factors=[0.5, 0.0])
    result = run(make_spec(MOMENTUM, part("orthogonal", factor=factor), epochs=3))
    constant, halved = (run(make_spec(MOMENTUM, part("orthogonal", factor=one))) for one in (0.1, 0.05))
    penalties = np.subtract(result.curves["test_losses"], result.losses_without_penalty["test_losses"])
    # The first epoch is that of the constant factor, the second has half of it, the third none.
    assert curves(result)[MINIBATCH][:9] == curves(constant)[MINIBATCH][:9]
    assert penalties[0] == pytest.approx(0.1 / 0.05 * penalty_at_start(halved), rel=1e-5)
    assert penalties[2] == pytest.approx(penalties[1] / 2, rel=0.2)
    assert penalties[3] == 0


def penalty_at_start(result):
    return result.curves["test_losses"][0] - result.losses_without_penalty["test_losses"][0]


def test_one_program_serves_all_scheduled_values(make_spec):
    program.forget()
    for value in (0.1, 0.2):
        factor = part("scheduled", value=value, epochs=[1], factors=[0.0])
        run(make_spec(MOMENTUM, part("orthogonal", factor=factor)))
    assert len(list(program._programs)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": "much"}, r"regularizer\.factor\.value: must be a number\. Received: 'much'"),
        ({"epochs": [3, 3, 4, 5]}, r"regularizer\.factor: .*Epochs must be positive and rise"),
        ({"factors": [1.0]}, r"regularizer\.factor: .*As many factors as epochs"),
    ],
)
def test_schedule_of_a_factor_that_means_nothing_is_refused(changes, message, make_spec):
    spec = make_spec(MOMENTUM, part("orthogonal", factor=part("scheduled", **SCHEDULED | changes)))
    with pytest.raises(DefinitionError, match=message):
        build_regularizer(spec)


def test_unknown_key_of_a_scheduled_factor_is_refused(make_spec):
    spec = make_spec(MOMENTUM, part("orthogonal", factor=part("scheduled", **SCHEDULED, epoch=1)))
    with pytest.raises(UnknownNameError, match=r"There is no argument `epoch`.*Did you mean `epochs`"):
        build_regularizer(spec)


class Restarted:
    """A new optimizer after so many steps, as where a network is compiled anew for each stage."""

    def __init__(self, make, steps):
        self._make, self._steps, self._taken = make, steps, 0

    def build(self, weights):
        del weights

    def apply(self, gradients, weights):
        if self._taken % self._steps == 0:
            self._optimizer = self._make(self._taken)
            self._optimizer.build(weights)
        self._taken += 1
        self._optimizer.apply(gradients, weights)


def test_optimizer_is_a_new_one_where_the_schedule_says_so(make_spec, plain_keras):
    steps = Schedule(name="step", epochs=(1,), factors=(0.5,), restart=True)
    spec = make_spec(MOMENTUM, schedule=steps)
    result = run(spec)
    going_on = run(make_spec(MOMENTUM, schedule=steps.model_copy(update={"restart": False})))
    taken = len(result.curves[MINIBATCH]) // 2
    plain = plain_keras(Restarted(lambda step: keras.optimizers.SGD(0.025 if step else 0.05, momentum=0.9), taken))
    expected, _ = plain.curves(spec)
    # Float32 sums, some steps on.
    np.testing.assert_allclose(result.curves[MINIBATCH], expected[MINIBATCH], rtol=1e-4)
    assert result.curves[MINIBATCH][: taken + 1] == going_on.curves[MINIBATCH][: taken + 1]
    assert abs(result.curves[MINIBATCH][-1] - going_on.curves[MINIBATCH][-1]) > 1e-3


def test_restart_is_told_where_it_is_on_only(make_spec):
    steps = Schedule(name="step", epochs=(1,), factors=(0.5,))
    identities = [
        make_spec(MOMENTUM, schedule=steps.model_copy(update={"restart": restart})).identity()["schedule"]
        for restart in (False, True)
    ]
    assert [identity.get("restart") for identity in identities] == [None, True]


def test_carried_blocks_are_set_by_each_run(make_spec):
    """Warm equals cold, bit for bit."""
    one = part("dropout_mlp", units=[20], dropout=0.0)
    small = catalog.problem("digits_mlp").model_copy(update={"model": one})
    specs = [
        make_spec(MOMENTUM, part("eigenvalue_decay", factor=factor), small, seed=seed)
        for factor, seed in ((0.05, 42), (0.01, 43), (0.05, 42))
    ]
    program.forget()
    warm = [curves(run(spec)) for spec in specs]
    assert len(list(program._programs)) == 1
    assert warm[0] == warm[2] != warm[1]
    program.forget()
    assert curves(run(specs[1])) == warm[1]


def test_largest_singular_value_that_is_penalized_is_that_of_the_kernel_after_many_steps(make_spec):
    spec = make_spec(MOMENTUM, part("eigenvalue_decay", factor=0.02), epochs=12)
    result = run(spec, keep_kernels=True)
    assert len(result.curves[MINIBATCH]) > 100
    largest = {layer: np.linalg.norm(kernel.array().astype(float), 2) for layer, kernel in result.kernels.items()}
    assert result.singular_values == pytest.approx(largest, rel=1e-5)
    penalty = result.curves["test_losses"][-1] - result.losses_without_penalty["test_losses"][-1]
    assert penalty == pytest.approx(0.02 * sum(largest.values()), rel=1e-3)
    # The same by the blocks that the steps carry.
    *_, kept = program._programs
    objective = kept.objective
    for (_, kernel), block in zip(objective._regularized, objective._carried, strict=True):
        assert np.linalg.norm(kernel.numpy() @ block.numpy(), 2) == pytest.approx(
            np.linalg.norm(kernel.numpy(), 2), rel=0.01
        )


def test_images_that_the_seed_draws_are_those_of_the_run_whatever_ran_before(make_spec):
    specs = [make_spec(MOMENTUM, problem=FEW, protocol=STRICT, seed=seed) for seed in (42, 43, 42)]
    program.forget()
    warm = [run(spec) for spec in specs]
    assert len(list(program._programs)) == 1
    assert curves(warm[0]) == curves(warm[2]) != curves(warm[1])
    assert warm[0].samples_digest == warm[2].samples_digest != warm[1].samples_digest
    assert len(warm[0].samples_digest) == 64
    assert len(warm[0].curves[MINIBATCH]) == 2 * 2 * 60 // 20
    program.forget()
    assert curves(run(specs[1])) == curves(warm[1])


def test_margins_are_those_of_the_trained_network(make_spec):
    spec = make_spec(MOMENTUM, problem=FEW, protocol=STRICT)
    result = run(spec, keep_kernels=True)
    assert set(result.margins) == {"train", "valid", "test"}
    # What is right with a margin is trained on; the mean margin is beyond that of others.
    assert result.margins["train"] > result.margins["test"]
    *_, kept = program._programs
    test = load_splits("digits", STRICT, None, FEW.selection, 42).test
    outputs = kept.objective.model.predict(kept.objective.prepare(test.inputs, False, None, 0), verbose=0)
    right = outputs[np.arange(len(outputs)), test.targets]
    outputs[np.arange(len(outputs)), test.targets] = -np.inf
    assert result.margins["test"] == pytest.approx(float(np.mean(right - outputs.max(axis=1))), rel=1e-4)
    assert run(spec).margins == {}


def test_last_layer_is_left_out_where_the_penalty_says_so(make_spec):
    names = {}
    for last in (True, False):
        run(make_spec(MOMENTUM, part("orthogonal", factor=0.1, last_layer=last), epochs=1))
        *_, newest = program._programs
        layers = {id(kernel.variable): kernel.layers[0] for kernel in newest.objective.weights}
        names[last] = [layers[id(kernel)] for _, kernel in newest.objective._regularized]
    assert names[True] == [*names[False], "logits"]


def test_last_incomplete_batch_is_a_step_where_the_rules_say_so(make_spec):
    """Against eager steps on the same batches: 60 samples are two batches of 25 and one of 10."""
    few = FEW.model_copy(update={"selection": Selection(train_per_class=6, draw="seed"), "batch_size": 25})
    rules = STRICT.model_copy(update={"name": "whole epochs", "whole_batches": False})
    spec = make_spec(MOMENTUM, problem=few, protocol=rules)
    result, dropped = run(spec), run(make_spec(MOMENTUM, problem=few, protocol=STRICT))
    assert [len(one.curves[MINIBATCH]) for one in (result, dropped)] == [6, 4]
    assert result.curves[MINIBATCH][:2] == dropped.curves[MINIBATCH][:2]
    train = load_splits("digits", rules, None, few.selection, 42).train
    with environment.seeded(42):
        model = build_model(few, dataset_of(few))
    optimizer, expected = keras.optimizers.SGD(0.05, momentum=0.9), []
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    order = Batches(train, 25, 42, True, whole_batches=False)
    assert order.steps == 3
    for epoch in range(2):
        batches = [*order.epoch(epoch), *order.last(epoch)]
        assert sorted(np.concatenate(batches)) == list(range(60))
        for positions in batches:
            batch = train.take(positions)
            with tf.GradientTape() as tape:
                inputs = preprocess(tf.constant(batch.inputs), dataset_of(few).preprocessing)
                loss = entropy(batch.targets, model(inputs, training=True))
            expected.append(float(loss))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    np.testing.assert_allclose(result.curves[MINIBATCH], expected, rtol=1e-4)


def test_penalty_on_the_distance_to_the_start_has_the_start_of_its_own_run(make_spec):
    penalty = part("to_initial", factor=0.1)
    first, second = make_spec(MOMENTUM, penalty), make_spec(MOMENTUM, penalty, seed=43)
    program.forget()
    run(first)
    warm = run(second, keep_kernels=True)
    assert len(list(program._programs)) == 1
    penalties = np.subtract(warm.curves["test_losses"], warm.losses_without_penalty["test_losses"])
    assert penalties[0] == 0
    with environment.seeded(43):
        model = build_model(second.problem, dataset_of(second.problem))
    starts = [weight for weight in model.get_weights() if weight.ndim > 1]
    ends = [kernel.array() for kernel in warm.kernels.values()]
    distance = sum(float(((end - start) ** 2).sum()) for end, start in zip(ends, starts, strict=True))
    assert penalties[-1] == pytest.approx(0.05 * distance, rel=1e-4)
    program.forget()
    assert curves(run(second)) == curves(warm)
