"""Each bundled guest of optax takes the steps that optax takes by itself; its numbers as constants."""

import numpy as np
import pytest

from regbench import catalog, guests
from regbench.benchmark.tasks import Task
from regbench.tuning import space

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
contrib = pytest.importorskip("optax.contrib")
STEPS = 50
ROUNDING = 1e-11  # of float64 sums in another order, grown in 50 steps
COARSER = {"optax_adafactor": 1e-6}
"""Adafactor takes a power of a float32 count with its exponent; to float64 it is raised where that is a tensor."""

PLAIN = {
    "optax_adamw": lambda: optax.adamw(0.001, weight_decay=0.0),
    "optax_ademamix": lambda: contrib.ademamix(0.001, b3=0.999, alpha=5.0),
    "optax_schedule_free": lambda: contrib.schedule_free_adamw(0.0025),
    "optax_prodigy": lambda: contrib.prodigy(1.0),
    "optax_dog": lambda: contrib.dog(1.0),
    "optax_muon": lambda: contrib.muon(0.016, adam_learning_rate=0.001),
    "optax_lion": lambda: optax.lion(0.0005, weight_decay=0.0),
    "optax_adafactor": lambda: optax.adafactor(0.001, multiply_by_parameter_scale=False),
    "optax_cocob": lambda: contrib.cocob(),
}


def plain_path(name, bowl):
    optimizer = PLAIN[name]()
    weights = [jax.numpy.asarray(weight) for weight in bowl.start]
    state, path = optimizer.init(weights), []
    update = jax.jit(optimizer.update)
    for step in range(STEPS):
        gradients = bowl.gradients([np.asarray(one) for one in weights], step)
        changes, state = update([jax.numpy.asarray(one) for one in gradients], state, weights)
        weights = optax.apply_updates(weights, changes)
        path.append([np.asarray(one) for one in weights])
    return path


def guest_of(name, **setting):
    candidate = catalog.candidate(name)
    return guests.guest_of(Task.of("digits_mlp", name).spec(space.defaults(candidate) | setting, 42).optimizer)


@pytest.mark.parametrize("name", PLAIN)
def test_guest_takes_the_steps_of_its_library(name, bowl, walk_of, check_equal):
    with jax.enable_x64(True):
        check_equal(
            walk_of(guest_of(name), bowl, STEPS), plain_path(name, bowl), bowl.start, COARSER.get(name, ROUNDING)
        )


def test_every_bundled_guest_of_optax_is_compared():
    assert {name for name in catalog.candidate_names() if name.startswith("optax_")} == set(PLAIN)
