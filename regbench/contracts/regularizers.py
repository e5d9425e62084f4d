"""The clauses for regularizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from regbench.contracts import configs, documentation
from regbench.contracts.subject import Subject
from regbench.contracts.training import (
    HALF_OF_THE_DIGITS,
    KERNELS,
    gradient,
    penalized_model,
    reloaded,
    value,
    zeros_for,
)
from regbench.contracts.verdicts import Clause, NotApplicableError, ViolationError

DIRECTIONS = 4
EPSILON = float(np.finfo("float32").eps)


def _is_meant_for(kind: str, subject: Subject) -> bool:
    return getattr(subject.make(), "default_kernels", "both") in (kind, "both")  # it may depend on the arguments


def _kernels(subject: Subject) -> Iterator[np.ndarray]:
    yield from (kernel for kind, kernel in KERNELS.items() if _is_meant_for(kind, subject))


def _takes(kind: str, subject: Subject) -> None:
    kernel = KERNELS[kind]
    for dtype in ("float32", "float16"):
        try:
            penalty = subject.make()(keras.ops.convert_to_tensor(kernel, dtype))
        except ValueError as error:
            if _is_meant_for(kind, subject):
                raise
            raise NotApplicableError(f"refused, as `default_kernels` says: {error}") from error
        if tuple(penalty.shape) != () or not np.isfinite(float(penalty)):
            raise ViolationError(f"a {dtype} kernel of shape {kernel.shape} gives {penalty}, not one finite number")


def _takes_dense_kernels(subject: Subject) -> None:
    _takes("dense", subject)


def _takes_convolution_kernels(subject: Subject) -> None:
    _takes("convolution", subject)


def _is_never_negative(subject: Subject) -> None:
    for kernel in _kernels(subject):
        orthonormal, _ = np.linalg.qr(kernel.reshape(-1, kernel.shape[-1]))
        for example in (kernel, -kernel, 0 * kernel, 1e-6 * kernel, 1e3 * kernel, orthonormal.reshape(kernel.shape)):
            penalty = value(subject.make(), example)
            if not penalty >= 0:
                raise ViolationError(f"shape {kernel.shape}, norm {np.linalg.norm(example):.3g}: {penalty}")


def _is_zero_at_factor_zero(subject: Subject) -> None:
    if "factor" not in subject.parameters:
        raise NotApplicableError("there is no argument `factor`")
    for kernel in _kernels(subject):
        penalty = value(subject.make(factor=0.0), kernel)
        if penalty != 0:
            raise ViolationError(f"shape {kernel.shape}: {penalty}")


def _is_finite_at_zero_weights(subject: Subject) -> None:
    for kernel in _kernels(subject):
        penalty, slope = value(subject.make(), 0 * kernel), gradient(subject.make(), 0 * kernel)
        if not np.isfinite(penalty) or not np.isfinite(slope).all():
            broken = int(np.sum(~np.isfinite(slope)))
            raise ViolationError(f"shape {kernel.shape}: {penalty}, and {broken} entries of the gradient not finite")


def _has_the_right_gradient(subject: Subject) -> None:
    """Central differences, along the gradient itself (where a wrong factor shows) and in random directions.

    A central difference with step h is wrong by h**2 f''' / 6 and one with step 2h by four times that: their difference
    is three times the error of the first. Beside it each of two values carries a rounding for every entry of the
    kernel at most, and the difference divides them by 2h.
    """
    generator = np.random.default_rng(4)
    for kernel in _kernels(subject):
        penalty = subject.make()
        slope, size = gradient(penalty, kernel), abs(value(penalty, kernel))
        step = EPSILON ** (1 / 3) * float(np.linalg.norm(kernel))
        for direction in (slope, *generator.normal(size=(DIRECTIONS, *kernel.shape))):
            unit = direction / (np.linalg.norm(direction) or 1.0)
            near, far = (_central_difference(penalty, kernel, unit, h) for h in (step, 2 * step))
            largest = max(size, abs(value(penalty, kernel + step * unit)))  # at a minimum it may be 0
            tolerance = abs(far - near) + kernel.size * EPSILON * largest / step
            if not abs(np.sum(slope * unit) - near) <= tolerance:
                raise ViolationError(
                    f"shape {kernel.shape}: along a direction it is {np.sum(slope * unit):.6g}, by central differences "
                    f"{near:.6g} +- {tolerance:.1g}"
                )


def _central_difference(penalty: Any, kernel: np.ndarray, unit: np.ndarray, step: float) -> float:
    plus, minus = (kernel + sign * step * unit for sign in (1, -1))
    return (value(penalty, plus) - value(penalty, minus)) / (2 * step)


def _goes_on_after_loading(subject: Subject) -> None:
    for kernel in _kernels(subject):
        model = penalized_model(subject.make(), kernel, "sgd", eager=True)
        with reloaded(model, subject.target) as loaded:
            loaded.run_eagerly = True
            before, after = (float(one.train_on_batch(*zeros_for(one))) for one in (model, loaded))
        if before != after:
            raise ViolationError(f"shape {kernel.shape}: {before} when saved, {after} when loaded")


def _adds_to_the_loss_in_fit(subject: Subject) -> None:
    for kernel in _kernels(subject):
        model = penalized_model(subject.make(), kernel, "sgd")
        expected = value(subject.make(), kernel)
        loss = model.fit(*zeros_for(model), verbose=0).history["loss"][0]
        if not abs(loss - expected) <= HALF_OF_THE_DIGITS * abs(expected):
            raise ViolationError(f"shape {kernel.shape}: {expected} is its penalty, {loss} what fit adds")
        if not np.isfinite(model.get_weights()[0]).all():
            raise ViolationError(f"shape {kernel.shape} is not finite after one step")


def _is_the_same_warm(subject: Subject) -> None:
    for kernel in _kernels(subject):
        penalty = subject.make()
        cold = value(penalty, kernel)
        for scale in (2, 0, 1e3):
            value(penalty, scale * kernel)
        others = subject.make(factor=0.5) if "factor" in subject.parameters else subject.make()
        value(others, -kernel)
        for name, warm in (("it", value(penalty, kernel)), ("a new instance", value(subject.make(), kernel))):
            if warm != cold:
                raise ViolationError(f"a kernel gives {cold}; after other kernels {name} gives {warm} for it")


CLAUSES = (
    *configs.CLAUSES,
    Clause(
        "goes_on_after_loading",
        "a model loaded from a .keras file has the same penalty as the one that was saved",
        _goes_on_after_loading,
    ),
    Clause(
        "takes_dense_kernels",
        "kernels of rank 2, float16 or float32, give one finite number, unless `default_kernels` excludes them",
        _takes_dense_kernels,
    ),
    Clause(
        "takes_convolution_kernels",
        "kernels of rank 4, float16 or float32, give one finite number, unless `default_kernels` excludes them",
        _takes_convolution_kernels,
    ),
    Clause("is_never_negative", "the penalty is at least 0", _is_never_negative),
    Clause("is_zero_at_factor_zero", "factor=0 gives 0", _is_zero_at_factor_zero),
    Clause("is_finite_at_zero_weights", "value and gradient are finite at weights of zero", _is_finite_at_zero_weights),
    Clause("has_the_right_gradient", "the gradient is that of finite differences", _has_the_right_gradient),
    Clause("adds_to_the_loss_in_fit", "a compiled `model.fit` adds the penalty to the loss", _adds_to_the_loss_in_fit),
    Clause("is_the_same_warm", "a kernel gives the same after other kernels and instances", _is_the_same_warm),
    *documentation.CLAUSES,
)
