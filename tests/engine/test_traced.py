"""Numbers as guarded symbols: a step that was traced with some numbers, used again with others."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import optimizers, regularizers
from regbench.engine.reading import read
from regbench.engine.traced import Trace, Traced

KERAS = keras.optimizers
NUMBERS = {
    "sgd": (lambda **numbers: KERAS.SGD(0.01, **numbers), {"momentum": 0.9}, {"momentum": 0.35}),
    "adam": (
        lambda **numbers: KERAS.Adam(0.01, amsgrad=True, **numbers),
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-4},
    ),
    "clipped_adam": (lambda **numbers: KERAS.Adam(0.01, clipnorm=0.5, **numbers), {"beta_1": 0.9}, {"beta_1": 0.6}),
    "adamax": (lambda **numbers: KERAS.Adamax(0.01, **numbers), {"beta_2": 0.99}, {"beta_2": 0.9}),
    "nadam": (lambda **numbers: KERAS.Nadam(0.01, **numbers), {"beta_1": 0.9}, {"beta_1": 0.6}),
    "rmsprop": (lambda **numbers: KERAS.RMSprop(0.01, **numbers), {"rho": 0.9}, {"rho": 0.4}),
    "adagrad": (lambda **numbers: KERAS.Adagrad(0.01, **numbers), {"epsilon": 1e-7}, {"epsilon": 1e-3}),
    "adadelta": (lambda **numbers: KERAS.Adadelta(1.0, **numbers), {"rho": 0.95}, {"rho": 0.6}),
    "lion": (lambda **numbers: KERAS.Lion(0.001, **numbers), {"beta_1": 0.9}, {"beta_1": 0.6}),
    "lamb": (lambda **numbers: KERAS.Lamb(0.01, **numbers), {"beta_1": 0.9}, {"beta_1": 0.6}),
    "adabelief": (
        lambda **numbers: optimizers.AdaBelief(0.01, **numbers),
        {"beta_2": 0.999, "epsilon": 1e-14},
        {"beta_2": 0.9, "epsilon": 1e-6},
    ),
    "amsbound": (
        lambda **numbers: optimizers.AMSBound(0.01, **numbers),
        {"beta_1": 0.9, "gamma": 0.001, "final_learning_rate": 0.1},
        {"beta_1": 0.5, "gamma": 0.01, "final_learning_rate": 0.2},
    ),
    "wrappers": (
        lambda power, threshold, alpha, strength, momentum: optimizers.DecoupledDecay(
            optimizers.Clipped(
                optimizers.Lookahead(
                    optimizers.SignedPower(KERAS.SGD(0.01, momentum=momentum), power=power),
                    sync_period=2,
                    slow_step_size=alpha,
                ),
                threshold=threshold,
            ),
            strength=strength,
            coupling="decoupled_momentum",
        ),
        {"power": 0.6, "threshold": 0.5, "alpha": 0.5, "strength": 0.1, "momentum": 0.9},
        {"power": 0.83, "threshold": 0.01, "alpha": 0.7, "strength": 0.02, "momentum": 0.3},
    ),
}


class Step:
    """Five steps of an optimizer on one kernel, compiled as the engine does."""

    def __init__(self, optimizer):
        self.variable = keras.Variable(np.zeros((3, 4), "float32"))
        self.optimizer = optimizer
        optimizer.build([self.variable])
        self.trace = Trace(optimizer)
        self._gradients = tf.constant(np.random.default_rng(1).normal(size=(5, 3, 4)).astype("float32"))
        self.function = tf.function(self._take, jit_compile=True)
        self.compiled = None

    def _take(self):
        step = tf.constant(0)
        while step < 5:
            self.optimizer.apply([self._gradients[step]], [self.variable])
            step += 1
        return self.variable.value

    def run(self, symbols=True):
        self.variable.assign(np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4))
        if self.compiled is None and symbols:
            with self.trace.symbols():
                self.compiled = self.function.get_concrete_function()
        return (self.compiled if symbols else self.function)().numpy()

    def reading_of(self, optimizer):
        optimizer.build([self.variable])
        return read(optimizer)

    def use(self, optimizer):
        """Goes on with the state and the numbers of another optimizer; says whether they fit."""
        reading = self.reading_of(optimizer)
        if fits := self.trace.fits(reading):
            self.trace.assign(reading)
            for variable, fresh in zip(self.optimizer.variables, optimizer.variables, strict=True):
                variable.assign(fresh)
        return fits


@pytest.mark.parametrize(("make", "old", "new"), NUMBERS.values(), ids=NUMBERS)
def test_step_used_again_gives_the_bits_of_a_step_with_its_numbers_baked_in(make, old, new):
    step = Step(make(**old))
    step.run()
    assert step.use(make(**new))
    actual = step.run()
    np.testing.assert_array_equal(actual, Step(make(**new)).run(symbols=False))
    assert not np.array_equal(actual, Step(make(**old)).run(symbols=False))


def test_numbers_of_the_listed_optimizers_stay_constants():
    step = Step(KERAS.Ftrl(0.01, l2_regularization_strength=0.5))
    step.run()
    assert step.use(KERAS.Ftrl(0.02, l2_regularization_strength=0.5))
    assert not step.use(KERAS.Ftrl(0.02, l2_regularization_strength=0.1))


@pytest.mark.parametrize(
    ("make", "kernel"),
    [
        (regularizers.Orthogonal, np.eye(4, 3)),
        (regularizers.EigenvalueDecay, np.eye(4, 3)),
        (regularizers.L2, np.eye(4, 3)),
        (functools.partial(regularizers.SmoothKernel, covariance=1.5), np.eye(9).reshape(3, 3, 3, 3)),
    ],
    ids=["orthogonal", "eigenvalue_decay", "l2", "smooth_kernel"],
)
def test_penalty_used_again_is_that_of_the_new_factor(make, kernel):
    kernel = tf.constant(kernel + 0.1, tf.float32)
    layers = {"one": make(0.1), "other": make(0.3)}
    trace = Trace(layers)
    with trace.symbols():
        penalty = tf.function(lambda: sum(one(kernel) for one in layers.values()), jit_compile=True)
        compiled = penalty.get_concrete_function()
    other = {"one": make(0.2), "other": make(0.7)}
    assert trace.fits(read(other))
    trace.assign(read(other))
    assert float(compiled()) == pytest.approx(float(sum(one(kernel) for one in other.values())), rel=1e-6)


def test_penalty_that_holds_its_factor_as_a_tensor_does_not_fit_another_factor():
    trace = Trace([keras.regularizers.L1(0.1)])
    assert trace.fits(read([keras.regularizers.L1(0.1)]))
    assert not trace.fits(read([keras.regularizers.L1(0.2)]))


class Own(keras.optimizers.Optimizer):
    """An optimizer of one's own; subclasses say how it uses `number`."""

    def __init__(self, number, **kwargs):
        super().__init__(learning_rate=0.1, **kwargs)
        self.number = number
        self.prepare()

    def prepare(self):
        pass

    def factor(self):
        return self.number

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * self.factor() * gradient)


class Branching(Own):
    def factor(self):
        return 1.0 if self.number > 0.5 else self.number


class AskingMath(Own):
    def factor(self):
        return math.log(self.number)


class AskingNumpy(Own):
    def factor(self):
        return np.sqrt(self.number).astype("float32")


class AskingForAKey(Own):
    def factor(self):
        return {0.25: 2.0, 0.75: 3.0}.get(self.number, 1.0)


class AskingForAnInteger(Own):
    def factor(self):
        return float(range(10)[int(10 * self.number)])


class Formatting(Own):
    def factor(self):
        return float(f"{self.number:.1f}")


class Deriving(Own):
    def prepare(self):
        self._rest = 1 - self.number

    def factor(self):
        return self._rest


class Squaring(Own):
    def factor(self):
        return abs(-(self.number**2)) / 2 + 1 % self.number


class Listing(Own):
    def prepare(self):
        self.numbers, self.number = [self.number], 1.0

    def factor(self):
        return self.numbers[0]


class Enclosing(Own):
    def prepare(self):
        number, self.number = self.number, 1.0
        self.function = lambda: number

    def factor(self):
        return self.function()


class Slotted:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


class Hiding(Own):
    def prepare(self):
        self.slotted, self.number = Slotted(self.number), 1.0

    def factor(self):
        return self.slotted.number


class WithArray(Own):
    def prepare(self):
        self.array, self.number = np.float32([self.number]), 1.0

    def factor(self):
        return self.array[0]


class WithPartial(Own):
    def prepare(self):
        self.function, self.number = functools.partial(abs, self.number), 1.0

    def factor(self):
        return self.function()


@pytest.mark.parametrize("kind", [Own, Deriving, Squaring])
def test_numbers_of_ones_own_class_have_slots(kind):
    step = Step(kind(0.25))
    step.run()
    assert step.use(kind(0.75))
    np.testing.assert_array_equal(step.run(), Step(kind(0.75)).run(symbols=False))


@pytest.mark.parametrize(
    "kind",
    [
        Branching, AskingMath, AskingNumpy, AskingForAKey, AskingForAnInteger, Formatting,
        Listing, Enclosing, Hiding, WithArray, WithPartial,
    ],
)  # fmt: skip
def test_number_that_was_asked_for_or_lies_deeper_needs_a_step_of_its_own(kind):
    step = Step(kind(0.25))
    np.testing.assert_array_equal(step.run(), Step(kind(0.25)).run(symbols=False))
    assert not step.use(kind(0.75))


def test_guards_that_answer_alike_fit():
    step = Step(Branching(0.75))
    step.run()
    assert step.use(Branching(0.6))
    assert not step.use(Branching(0.4))


@pytest.mark.parametrize("change", [{"nesterov": True}, {"clipnorm": 1.0}, {"clipvalue": 1}])
def test_what_is_no_float_belongs_to_the_structure(change):
    step = Step(KERAS.SGD(0.1, momentum=0.5))
    assert step.use(KERAS.SGD(0.2, momentum=0.75))
    assert not step.use(KERAS.SGD(0.2, **({"momentum": 0.5} | change)))


def test_optimizer_of_another_class_or_in_a_wrapper_does_not_fit():
    step = Step(KERAS.SGD(0.1))
    assert not step.use(type("SGD", (KERAS.SGD,), {})(0.1))
    assert not step.use(optimizers.SignedPower(KERAS.SGD(0.1)))


def test_numbers_for_which_an_expression_has_no_value_do_not_fit():
    class Inverse(Own):
        def factor(self):
            return 1 / self.number

    step = Step(Inverse(0.25))
    step.run()
    assert not step.use(Inverse(0.0))


def test_attributes_are_numbers_again_after_the_trace():
    optimizer = KERAS.SGD(0.1, momentum=0.5)
    trace = Trace(optimizer)
    with trace.symbols():
        assert type(optimizer.momentum) is Traced
    assert type(optimizer.momentum) is float


def test_symbol_is_a_float_to_all_who_ask():
    optimizer = KERAS.SGD(0.1, momentum=0.5)
    with Trace(optimizer).symbols():
        number = optimizer.momentum
        assert isinstance(number, float)
        assert not hasattr(number, "assign")
        assert number.is_integer() is False
        assert number.__round__() == 0
        assert divmod(number, 0.3) == divmod(0.5, 0.3)
        assert (number == None) is False  # noqa: E711
        assert {0.5: "found"}[number] == "found"
        with pytest.raises(TypeError, match="to a tensor of dtype int32"):
            tf.convert_to_tensor(number, tf.int32)
