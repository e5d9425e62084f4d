"""The clauses for optimizers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from regbench.contracts import configs, decay, documentation
from regbench.contracts.subject import Subject
from regbench.contracts.training import (
    HALF_OF_THE_DIGITS,
    START,
    STEPS,
    check_equal,
    fit,
    linear_model,
    reloaded,
    require,
    take_step,
    take_steps,
)
from regbench.contracts.verdicts import Clause, ViolationError

SHAPES = ((1,), (5,), (4, 3), (2, 3, 2), (2, 2, 3, 4))


def _goes_on_after_loading(subject: Subject) -> None:
    model = linear_model(subject.make(), eager=True)
    take_steps(model)
    with reloaded(model, subject.target) as loaded:
        loaded.run_eagerly = True
        for one in (model, loaded):
            take_steps(one)
        check_equal(loaded.get_weights(), model.get_weights(), "after loading the training goes on differently")


def _keeps_dtype_and_shapes(subject: Subject) -> None:
    for dtype in ("float32", "float16"):
        optimizer, variables = subject.make(), _variables(dtype)
        for scale in (1.0, -0.5):
            take_step(optimizer, _gradients(scale, dtype), variables)
        for variable, shape in zip(variables, SHAPES, strict=True):
            array = keras.ops.convert_to_numpy(variable)
            if array.shape != shape or str(array.dtype) != dtype:
                raise ViolationError(f"{dtype} of shape {shape} becomes {array.dtype} of shape {array.shape}")


def _survives_zero_gradients(subject: Subject) -> None:
    optimizer, variables = subject.make(), _variables("float32")
    for step, scale in enumerate((0.0, 0.0, 1.0, 0.0, 0.0), start=1):
        take_step(optimizer, _gradients(scale, "float32"), variables)
        if not all(np.isfinite(keras.ops.convert_to_numpy(variable)).all() for variable in variables):
            raise ViolationError(f"not finite after step {step}; gradients are zeros in steps 1, 2, 4 and 5")


def _variables(dtype: str) -> list[keras.Variable]:
    generator = np.random.default_rng(2)
    return [keras.Variable(generator.normal(size=shape), dtype=dtype) for shape in SHAPES]


def _gradients(scale: float, dtype: str) -> list[Any]:
    generator = np.random.default_rng(3)
    return [keras.ops.convert_to_tensor(scale * generator.normal(size=shape), dtype) for shape in SHAPES]


def _trains_in_fit(subject: Subject) -> None:
    losses = fit(linear_model(subject.make()), epochs=5)
    if not losses[-1] < losses[0]:
        raise ViolationError(f"the mean loss of an epoch goes from {losses[0]:.6g} to {losses[-1]:.6g} in five of them")


def _is_traced_once(subject: Subject) -> None:
    require("tensorflow", "jax")
    optimizer, calls = subject.make(), []
    apply = optimizer.apply

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return apply(*arguments, **named)

    optimizer.apply = counted
    model = linear_model(optimizer)
    take_steps(model)
    calls.clear()  # the first step may be traced twice, once to create variables
    take_steps(model)
    if calls:
        raise ViolationError(f"after {STEPS} steps `apply` still ran as Python in {len(calls)} of the next {STEPS}")


def _is_the_same_compiled(subject: Subject) -> None:
    require("tensorflow", "jax")
    models = [linear_model(subject.make(), eager) for eager in (True, False)]
    for model in models:
        take_steps(model)
    for eager, compiled, start in zip(*(model.get_weights() for model in models), START, strict=True):
        # Roundings of the weights in every step, and half of the digits for what compilers reorder within the steps.
        rounding = STEPS * np.finfo("float32").eps * np.max(np.abs(start))
        tolerance = rounding + HALF_OF_THE_DIGITS * np.max(np.abs(eager - start))
        difference = np.max(np.abs(compiled - eager))
        if not difference <= tolerance:
            raise ViolationError(
                f"after {STEPS} compiled steps weights differ by {difference:.3g} from those after as many eager ones; "
                f"rounding explains {tolerance:.3g}. Is there a number in Python that changes from step to step?"
            )


def _is_the_same_warm(subject: Subject) -> None:
    """As a search uses a compiled step again: with the weights and the optimizer's variables of another run."""
    warm = linear_model(subject.make())
    rate: Any = warm.optimizer.learning_rate

    def make_another() -> Any:
        # A schedule is no variable, and stays.
        return subject.make_with_learning_rate(float(rate) / 2) if isinstance(rate, keras.Variable) else subject.make()

    cold = linear_model(make_another())
    for model in (cold, warm):
        model.optimizer.build(model.trainable_variables)  # here, for state that begins as a copy of the weights
        take_steps(model)
    another = make_another()
    warm.set_weights(START)
    another.build(warm.trainable_variables)
    for variable, fresh in zip(warm.optimizer.variables, another.variables, strict=True):
        variable.assign(fresh)
    take_steps(warm)
    check_equal(
        warm.get_weights(),
        cold.get_weights(),
        "a compiled step, used again with the variables of a new instance of half the learning rate, does not do what "
        "a new one does. Is there a number in Python that should be a variable?",
    )


CLAUSES = (
    *configs.CLAUSES,
    Clause(
        "goes_on_after_loading",
        "a model loaded from a .keras file takes the same next steps as the one that was saved",
        _goes_on_after_loading,
    ),
    Clause(
        "keeps_dtype_and_shapes",
        "variables of rank 1 to 4, float16 or float32, keep their shape and dtype",
        _keeps_dtype_and_shapes,
    ),
    Clause("survives_zero_gradients", "gradients of zeros leave finite weights", _survives_zero_gradients),
    Clause("trains_in_fit", "in a plain `model.fit` a convex loss falls", _trains_in_fit),
    Clause("is_traced_once", "a compiled step is traced once for many steps", _is_traced_once),
    Clause("is_the_same_compiled", "compiled steps do what eager ones do", _is_the_same_compiled),
    Clause(
        "is_the_same_warm",
        "a compiled step that is used again with the variables of a new instance does what a new one does",
        _is_the_same_warm,
    ),
    *decay.CLAUSES,
    *documentation.CLAUSES,
)
