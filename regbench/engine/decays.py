"""The decay of a run as a wrapper of its optimizer, with its numbers: strengths and rates of the schedule's peak."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.conventions import couplings
from regbench.engine.decay_meter import DecayMeter
from regbench.engine.forms import decays_itself, take_decay
from regbench.engine.reading import state_of
from regbench.engine.weights import Weights, among
from regbench.errors import DefinitionError
from regbench.optimizers import DecoupledDecay
from regbench.records import Coupling, RunSpec, peak_factor


def is_decoupled(spec: RunSpec) -> bool:
    """Whether the decay acts on the weights, apart from the gradient."""
    return spec.decay.coupling not in (Coupling.NONE, Coupling.L2) and spec.decay_strength != 0


def with_decay(
    spec: RunSpec, optimizer: keras.optimizers.Optimizer, weights: Weights, steps: int
) -> keras.optimizers.Optimizer:
    """The optimizer in the decay of the spec; as it is where that acts elsewhere, or not at all.

    Args:
        spec: of the run.
        optimizer: not built.
        weights: of the network.
        steps: in an epoch, that on an incomplete batch among them.

    Raises:
        DefinitionError: a timescale is shorter than two steps.
    """
    if not is_decoupled(spec):
        return optimizer
    coupling, strength, peak_rate = spec.decay.coupling.value, spec.decay_strength, None
    if spec.decay.coupling in (Coupling.TIMESCALE, Coupling.LR_SQUARED):
        peak = float(optimizer.learning_rate) * peak_factor(spec.schedule, spec.epochs, steps)
        if spec.decay.coupling == Coupling.LR_SQUARED:
            peak_rate = peak
        else:
            try:
                coupling, strength = "decoupled", couplings.strength_of_timescale(strength, peak, steps)
            except ValueError as error:
                raise DefinitionError(f"{spec.candidate}: decay.{error}") from error
    chosen: Any = coupling
    decayed = among(weights.decayed(spec.problem, spec.decay))
    if decays_itself(optimizer):
        take_decay(optimizer, strength, decayed)
        return optimizer
    return DecoupledDecay(optimizer, strength, coupling=chosen, apply_to=decayed, peak_learning_rate=peak_rate)


def shrinkage(spec: RunSpec, learning_rate: float, steps: int, meter: DecayMeter | None) -> float | None:
    """What the decay alone leaves of a weight over the planned run; with `cautious`, of the norm, by what was counted.

    Args:
        spec: of the run.
        learning_rate: at the start, as the optimizer holds it.
        steps: in an epoch.
        meter: of the training.

    Returns:
        None where the decay passes through the optimizer (l2), depends on its momentum, or the product overflows.
    """
    coupling = spec.decay.coupling
    if coupling == Coupling.CAUTIOUS:
        return None if meter is None else meter.shrinkage(spec.epochs * steps)
    if coupling in (Coupling.NONE, Coupling.L2, Coupling.DECOUPLED_MOMENTUM):
        return None
    pace = couplings.pace_of(spec.schedule, spec.epochs, learning_rate, steps)
    return couplings.shrinkage(coupling, spec.decay_strength, pace)


def is_undone(optimizer: Any, variables: list[Any]) -> bool:
    """Whether a step from here is the same with the decay and without it; all variables stay as they are.

    Args:
        optimizer: built; with or without a decay around it.
        variables: of the network.
    """
    if not isinstance(optimizer, DecoupledDecay):
        return False
    held = [*variables, *state_of(optimizer)]
    before = [variable.numpy().copy() for variable in held]
    gradients = [tf.fill(variable.shape, tf.constant(1e-3, variable.dtype)) for variable in variables]
    ends = []
    for one in (optimizer, optimizer.inner_optimizer):
        one.apply(gradients, variables)
        ends.append([variable.numpy().copy() for variable in variables])
        for variable, value in zip(held, before, strict=True):
            variable.assign(value)
    return all(np.array_equal(with_decay, without) for with_decay, without in zip(*ends, strict=True))
