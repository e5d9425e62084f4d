"""Keras's optimizers against plain Keras, and what of its base class is refused wherever it hides."""

import inspect
import itertools
import math
import sys
import types

import keras
import numpy as np
import pytest
from keras import ops

from regbench import catalog, optimizers
from regbench.engine import program
from regbench.engine.build import build_optimizer
from regbench.engine.run import run
from regbench.engine.weights import Weights
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import MINIBATCH, Decay, Part, Selection
from regbench.tuning import space

MODULE = "own_optimizers_of_the_tests"
# Names of whatever Keras has, so that an optimizer which it gets later is tried too.
KERAS = sorted(
    name
    for name, kind in vars(keras.optimizers).items()
    if inspect.isclass(kind)
    and issubclass(kind, keras.optimizers.Optimizer)
    # The last takes the variables of a network, which no file can name.
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
)
CLIPS = {"clipnorm": 0.05, "clipvalue": 0.01, "global_clipnorm": 0.1}
DECAYING = {"AdamW": {"weight_decay": 0.0}, "Muon": {"weight_decay": 0.0, "adam_weight_decay": 0.0}}
INNER = Part(name="sgd", arguments={"learning_rate": 0.1})


class Own(keras.optimizers.SGD):
    """Passes on what it is given."""

    def __init__(self, learning_rate=0.1, **options):
        super().__init__(learning_rate=learning_rate, **options)


class HardCodedDecay(Own):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate, weight_decay=0.5)


class HardCodedAverage(Own):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate, use_ema=True)


class HardCodedSchedule(Own):
    def __init__(self):
        super().__init__(keras.optimizers.schedules.CosineDecay(0.1, 10))


class HardCodedExclusion(Own):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate)
        self.exclude_from_weight_decay(var_names=["bias"])


class HidesAnother(Own):
    """Holds an optimizer in a list."""

    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate)
        self.others = [keras.optimizers.Adam(use_ema=True)]


class HidesInATable(Own):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate)
        self.others = {"of biases": [keras.optimizers.Adam(weight_decay=0.1)]}


class CountingInPython(Own):
    """Counts the steps that are compiled, not those that are taken."""

    steps = 0

    def update_step(self, gradient, variable, learning_rate):
        type(self).steps += 1
        super().update_step(gradient / self.steps, variable, learning_rate)


class NoisyOfNumPy(Own):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * np.random.normal(), variable, learning_rate)


class Finalizing(Own):
    def finalize_variable_values(self, var_list):
        for variable in var_list:
            variable.assign(0 * variable)


class Scaling(Own):
    def scale_loss(self, loss):
        return 2 * loss


class Applying(Own):
    def apply_gradients(self, grads_and_vars):
        return super().apply_gradients(grads_and_vars)


class DecayingByMethod(Own):
    def _apply_weight_decay(self, variables):
        for variable in variables:
            self.assign(variable, 0.9 * variable)


class Noisy(Own):
    """Adds noise to gradients, from a generator of its own."""

    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate)
        self.generator = keras.random.SeedGenerator()

    def update_step(self, gradient, variable, learning_rate):
        noise = keras.random.normal(ops.shape(gradient), stddev=0.1, seed=self.generator)
        super().update_step(gradient + noise, variable, learning_rate)


class NoisyOfTheProcess(Own):
    def update_step(self, gradient, variable, learning_rate):
        noise = keras.random.normal(ops.shape(gradient), stddev=0.1)
        super().update_step(gradient + noise, variable, learning_rate)


class Anchored(Own):
    """Is drawn to where it began: its state starts as a copy of the weights."""

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.anchors = self.add_optimizer_variables(variables, "anchor")
            for anchor, variable in zip(self.anchors, variables, strict=True):
                anchor.assign(variable)

    def update_step(self, gradient, variable, learning_rate):
        anchor = self.anchors[self._get_variable_index(variable)]
        super().update_step(gradient + (variable - anchor), variable, learning_rate)


@pytest.fixture(autouse=True)
def own_optimizers(monkeypatch):
    module = types.ModuleType(MODULE)
    for kind in (Own, *Own.__subclasses__()):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def make_spec(make_task, make_candidate):
    """Two epochs of three steps on 30 digits."""

    def make(optimizer, /, seed=42, decay=None, **arguments):
        problem = catalog.problem("digits_mlp").model_copy(
            update={
                "selection": Selection(train_per_class=4, test_per_class=2),
                "model": Part(name="mlp", arguments={"units": [8]}),
            }
        )
        candidate = make_candidate(optimizer, decay=decay, **arguments)
        return make_task(problem, candidate, epochs=2, batch_size=10).spec(space.defaults(candidate), seed=seed)

    return make


def built(spec):
    return build_optimizer(spec, Weights(keras.Sequential()))


def check_equal(spec, plain):
    curves, norm = plain.curves(spec)
    result = run(spec)
    if not all(math.isfinite(loss) for loss in curves[MINIBATCH]):  # Adafactor, where pixels are always empty
        assert result.outcome == "diverged"
        steps = result.curves[MINIBATCH]
        assert steps == pytest.approx(curves[MINIBATCH][: len(steps)], rel=1e-5, nan_ok=True)
        return
    for name, curve in curves.items():
        assert result.curves[name] == pytest.approx(curve, rel=1e-5), name
    assert result.final_weight_norm == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("name", KERAS)
def test_optimizers_of_keras_are_those_of_plain_keras(name, make_spec, plain_keras):
    plain = plain_keras(getattr(keras.optimizers, name)(**DECAYING.get(name, {})))
    check_equal(make_spec(f"keras.optimizers:{name}"), plain)


# Their base class clips: each of the others is tried with one of the three, in turn.
CLIPPED = [
    *itertools.product(("SGD", "Adam"), CLIPS),
    *(
        pytest.param(name, clip, marks=pytest.mark.slow)
        for name, clip in zip(KERAS, itertools.cycle(CLIPS))
        if name not in ("SGD", "Adam")
    ),
]


@pytest.mark.parametrize(("name", "clip"), CLIPPED)
def test_clipping_is_that_of_plain_keras(name, clip, make_spec, plain_keras):
    arguments = {clip: CLIPS[clip]}
    plain = plain_keras(getattr(keras.optimizers, name)(**arguments, **DECAYING.get(name, {})))
    check_equal(make_spec(f"keras.optimizers:{name}", **arguments), plain)


AS_ARGUMENTS = {
    "weight_decay": (0.1, r"decay belongs into \[decay\].* Received: weight_decay=0.1"),
    "use_ema": (True, "weights are evaluated as the steps leave them"),
    "ema_momentum": (0.5, "weights are evaluated as the steps leave them"),
    "ema_overwrite_frequency": (3, "weights are evaluated as the steps leave them"),
    "loss_scale_factor": (8.0, "the loss is not scaled"),
    "gradient_accumulation_steps": (2, "a step is one batch"),
}


@pytest.mark.parametrize("where", ["of Keras", "passed on", "of a wrapper", "in a wrapper", "beside a decay"])
@pytest.mark.parametrize("name", AS_ARGUMENTS)
def test_setting_without_effect_is_refused_wherever_it_is_given(name, where, make_spec):
    value, reason = AS_ARGUMENTS[name]
    given, key = {name: value}, "optimizer"
    match where:
        case "of Keras":
            spec = make_spec("adam", **given)
        case "passed on":
            spec = make_spec(f"{MODULE}:Own", **given)
        case "of a wrapper":
            spec = make_spec("normalized", inner_optimizer=INNER, **given)
        case "in a wrapper":
            spec = make_spec("lookahead", inner_optimizer=Part(name="adam", arguments=given))
            key = "optimizer.inner_optimizer"
        case "beside a decay":
            spec = make_spec("adam", decay=Decay(coupling="decoupled", strength=0.1), **given)
    with pytest.raises(DefinitionError, match=rf"^{key}(\.{name})?: .*{reason}"):
        built(spec)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("HardCodedDecay", r"^optimizer\.weight_decay: decay belongs into \[decay\].* Received: weight_decay=0\.5"),
        ("HardCodedAverage", r"^optimizer\.use_ema: weights are evaluated as the steps leave them"),
        ("HardCodedSchedule", r"^optimizer\.learning_rate: must be a number; a schedule belongs to the run"),
        ("HardCodedExclusion", r"^optimizer\._exclude_from_.*: which weights decay is said by `mask` in \[decay\]"),
        ("HidesAnother", r"^optimizer\.others\.use_ema: weights are evaluated as"),
        ("HidesInATable", r"^optimizer\.others\.weight_decay: decay belongs into"),
        ("Finalizing", r"^optimizer: `Finalizing.finalize_variable_values` must not be overridden: it is never called"),
        ("Scaling", r"^optimizer: `Scaling.scale_loss` must not be overridden: it is never called"),
        ("Applying", r"^optimizer: `Applying.apply_gradients` must not be overridden: it is never called"),
        (
            "DecayingByMethod",
            r"^optimizer: `.*_apply_weight_decay` must not be overridden: decay belongs into",
        ),
    ],
)
def test_what_a_class_hard_codes_is_refused_on_top_and_inside(name, reason, make_spec):
    with pytest.raises(DefinitionError, match=reason):
        built(make_spec(f"{MODULE}:{name}"))
    inside = reason.replace("^optimizer", r"^optimizer\.inner_optimizer")
    with pytest.raises(DefinitionError, match=inside):
        built(make_spec("lookahead", inner_optimizer=Part(name=f"{MODULE}:{name}")))


def test_keyword_that_keras_ignores_is_refused(make_spec):
    with pytest.raises(UnknownNameError, match=r"There is no argument `decay`"):
        built(make_spec("lookahead", inner_optimizer=Part(name=f"{MODULE}:Own", arguments={"decay": 0.1})))


def test_loss_scaling_is_refused(make_spec):
    with pytest.raises(DefinitionError, match=r"^optimizer: must be no LossScaleOptimizer: the loss is not scaled"):
        built(make_spec("keras.optimizers:LossScaleOptimizer", inner_optimizer=INNER))


def test_every_argument_of_the_base_class_is_judged_or_acts():
    arguments = set(inspect.signature(keras.optimizers.Optimizer.__bases__[-1].__init__).parameters)
    acts = {"self", "learning_rate", "name", "kwargs", *CLIPS}
    assert arguments - acts == set(AS_ARGUMENTS)


def test_random_numbers_of_an_optimizer_are_those_of_the_run(make_spec):
    program._programs.clear()
    cold = run(make_spec(f"{MODULE}:Noisy", seed=43))
    program._programs.clear()
    other, warm = run(make_spec(f"{MODULE}:Noisy", seed=42)), run(make_spec(f"{MODULE}:Noisy", seed=43))
    assert len([training for one in program._programs for training in one.trainings]) == 1
    assert warm.curves == cold.curves
    assert other.curves[MINIBATCH] != cold.curves[MINIBATCH]


def test_random_numbers_of_the_process_are_refused(make_spec):
    with pytest.raises(DefinitionError, match=r"what is trained must keep all its state .*seed_generator"):
        run(make_spec(f"{MODULE}:NoisyOfTheProcess"))


@pytest.mark.parametrize("name", ["CountingInPython", "NoisyOfNumPy"])
def test_numbers_that_are_others_when_a_step_is_compiled_again_are_refused(name, make_spec):
    must = "must compute the same whenever it is compiled, without counters in Python, draws of NumPy"
    with pytest.raises(DefinitionError, match=rf"^own code `{MODULE}:{name}`: {must}"):
        run(make_spec(f"{MODULE}:{name}"))


def test_state_that_begins_as_a_copy_of_the_weights_begins_with_those_of_the_run(make_spec, plain_keras):
    program._programs.clear()
    run(make_spec(f"{MODULE}:Anchored", seed=42))
    check_equal(make_spec(f"{MODULE}:Anchored", seed=43), plain_keras(Anchored()))


def test_wrappers_of_ours_may_have_what_others_may_not(make_spec):
    assert isinstance(built(make_spec("lookahead", inner_optimizer=INNER)), optimizers.Lookahead)
