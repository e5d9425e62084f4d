"""Runs with a guest, in this process."""

import numpy as np

from regbench import guests
from regbench.engine.run import run
from regbench.records import MINIBATCH, Coupling, Decay, Part

DECAYS = {
    "none": Decay(),
    "l2": Decay(coupling=Coupling.L2, strength=0.1),
    "decoupled": Decay(coupling=Coupling.DECOUPLED, strength=1.0),
    "decoupled_momentum": Decay(coupling=Coupling.DECOUPLED_MOMENTUM, strength=0.1),
    "decoupled_constant": Decay(coupling=Coupling.DECOUPLED_CONSTANT, strength=0.01),
    "cautious": Decay(coupling=Coupling.CAUTIOUS, strength=1.0),
    "lr_squared": Decay(coupling=Coupling.LR_SQUARED, strength=1.0),
    "timescale": Decay(coupling=Coupling.TIMESCALE, strength=5.0),
}
LOSS_ROUNDING = 1e-5
"""Of float32 losses after an epoch or two, relative: some hundred roundings of 6e-8 that do not all go one way."""


def part(name, **arguments):
    return Part(name=name, arguments=arguments)


def trained(make_task, make_candidate, optimizer, problem="digits_mlp", epochs=1, schedule="none", **parts):
    candidate = make_candidate(optimizer.name, **parts, **optimizer.arguments)
    spec = make_task(problem, candidate, epochs=epochs, schedule=schedule).spec({}, 42)
    return run(spec, guest=guests.guest_of(spec.optimizer))


def curves(result):
    return {name: np.array(curve) for name, curve in result.curves.items() if "loss" in name}


def furthest(one, other):
    """The largest relative difference of any loss."""
    assert one.curves.keys() == other.curves.keys()
    pairs = [(curves(one)[name], curves(other)[name]) for name in curves(one)]
    return max(float(np.max(np.abs(a / b - 1))) for a, b in pairs)


def last_step(result):
    return result.curves[MINIBATCH][-1]


def assert_counted_alike(one, other):
    """What is counted of the decay of two runs that are equal but for rounding."""
    for name, tolerance in (("decay_share", 1e-3), ("shrinkage", 1e-5)):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None), name
        assert first is None or abs(first / second - 1) < tolerance, name
