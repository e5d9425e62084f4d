"""PyTorch comes before TensorFlow, or not at all; and what guests are compared on."""

import importlib.util
import sys

import numpy as np
import pytest

from regbench import guests
from regbench.records import Kind

HAS_OPTAX = all(importlib.util.find_spec(name) for name in ("optax", "jax"))
HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "pytorch_optimizer"))
if HAS_TORCH and "tensorflow" not in sys.modules:
    guests.prepare("torch")


def pytest_collection_modifyitems(items):
    """Tests of files whose name ends with the framework need it."""
    without = {
        "torch": None if "torch" in sys.modules else "needs the extra torch, before TensorFlow: scripts/test --guests",
        "optax": None if HAS_OPTAX else "needs the extra optax: pip install 'regbench[optax]'",
    }
    if not HAS_TORCH:
        without["torch"] = "needs the extra torch: pip install 'regbench[torch]'"
    for item in items:
        reason = without.get(item.path.stem.rpartition("_")[2])
        if reason and item.path.parent.name == "guests":
            item.add_marker(pytest.mark.skip(reason=reason))


class Bowl:
    """A quadratic bowl over weights of all layouts, as the network has them, with noise that is drawn once a step."""

    kinds = (Kind.MATRIX, Kind.OTHER, Kind.CONVOLUTION, Kind.OTHER)
    shapes = ((6, 4), (4,), (3, 3, 2, 5), (5,))

    def __init__(self, dtype="float64"):
        generator = np.random.default_rng(3)
        self.start = [generator.normal(size=shape).astype(dtype) for shape in self.shapes]
        self.curvatures = [generator.uniform(0.1, 3.0, size=shape).astype(dtype) for shape in self.shapes]
        self.noise = [[(0.3 * generator.normal(size=shape)).astype(dtype) for shape in self.shapes] for _ in range(60)]

    def gradients(self, weights, step):
        """Of the loss on the batch of a step."""
        return [
            np.ascontiguousarray(curvature * weight + noise)
            for curvature, weight, noise in zip(self.curvatures, weights, self.noise[step], strict=True)
        ]

    def loss(self, weights, step):
        """Of a step; its gradient is `gradients`."""
        return np.asarray(
            sum(
                np.sum(curvature * weight**2 / 2 + noise * weight)
                for curvature, weight, noise in zip(self.curvatures, weights, self.noise[step], strict=True)
            ),
            self.start[0].dtype,
        )


def walk(guest, bowl, steps, factor=lambda step: 1.0):
    """The weights after each step of a guest."""
    weights = [weight.copy() for weight in bowl.start]
    guest.start([weight.copy() for weight in weights], bowl.kinds, 0)
    path = []
    for step in range(steps):

        def evaluate(there, step=step):
            arrays = [np.array(np.from_dlpack(one)) for one in there]
            return bowl.loss(arrays, step), bowl.gradients(arrays, step)

        taken = guest.step(bowl.loss(weights, step), bowl.gradients(weights, step), factor(step), evaluate, None)
        weights = [np.array(np.from_dlpack(one)) for one in taken]
        path.append(weights)
    return path


def distance(one, other):
    """The largest difference between two places."""
    return max(float(np.max(np.abs(a - b))) for a, b in zip(one, other, strict=True))


@pytest.fixture
def bowl():
    return Bowl()


@pytest.fixture
def walk_of():
    return walk


@pytest.fixture
def check_equal():
    """Two paths must be one but for the rounding of sums."""

    def check(actual, expected, start, tolerance):
        travelled = distance(expected[-1], start)
        assert travelled > 1e-4, "nothing has moved"
        for step, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert distance(one, other) <= tolerance * travelled, step

    return check
