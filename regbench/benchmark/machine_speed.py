"""How fast this machine is: what it took before, in the user's cache, else a table of another machine, scaled.

The record is safe to delete, and never an error.
"""

import contextlib
import math
import platform
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, ValidationError

from regbench.records import Record
from regbench.store import targets
from regbench.trees.cache import cache_file

Seconds = Annotated[float, Field(ge=0)]


class Speed(Record):
    """What runs with one network take, in seconds.

    Args:
        compile_seconds: once in a process.
        run_seconds: of a run besides its epochs: its network is built anew.
        sample_seconds: of training on a sample, everything in an epoch included.
    """

    compile_seconds: Seconds
    run_seconds: Seconds
    sample_seconds: Seconds


class MachineSpeed(Record):
    """What one machine took.

    Args:
        platform: what the machine says of itself.
        start_seconds: of a process, until it can train; None where it is not known.
        networks: what runs took, by `estimate.network`.
    """

    platform: str
    start_seconds: Seconds | None = None
    networks: dict[str, Speed] = Field(default={})


class Measured(NamedTuple):
    """Seconds as measured: of compiling, of taking a step, of training on a sample besides."""

    compiling: float
    step: float
    sample: float


MEASURED = {
    ("allcnnc", (32, 32, 3)): Measured(1.0, 0, 1.1e-2),
    ("char_gru", (64,)): Measured(5, 0, 2e-3),
    ("char_rnn", (50,)): Measured(4.0, 0, 1e-3),
    ("char_transformer", (64,)): Measured(8, 0, 2e-3),
    ("conv_1d", (40,)): Measured(0.6, 0, 1.6e-5),
    ("conv_2c2d", (8, 8, 1)): Measured(0.6, 0, 1.1e-5),
    ("conv_2c2d", (28, 28, 1)): Measured(1.2, 0, 4.5e-4),
    ("conv_3c2d", (8, 8, 1)): Measured(0.7, 0, 3e-5),
    ("conv_3c2d", (28, 28, 1)): Measured(1.0, 0, 8e-5),
    ("conv_3c2d", (200, 200, 3)): Measured(1.5, 0, 1.2e-3),
    ("conv_3c3d", (32, 32, 3)): Measured(1.5, 0, 7e-4),
    ("conv_4c2d", (32, 32, 3)): Measured(1.2, 0, 9e-4),
    ("convex_quadratic", (1,)): Measured(0.6, 5e-6, 0),
    ("deep_linear", (32,)): Measured(0.5, 0, 2e-6),
    ("dropout_mlp", (28, 28, 1)): Measured(2.0, 0, 4e-5),
    ("embedded_mlp", (2, 31)): Measured(1.5, 0, 4e-6),
    ("gru", (40,)): Measured(2.7, 0, 2.6e-5),
    ("inception_v3", (224, 224, 3)): Measured(12.0, 0, 2.7e-1),
    ("logreg", (28, 28, 1)): Measured(0.8, 0, 1.2e-6),
    ("mlp", (8, 8, 1)): Measured(1.4, 8e-5, 3.5e-7),
    ("mlp", (28, 28, 1)): Measured(1.1, 0, 4.5e-5),
    ("quadratic", (100,)): Measured(0.8, 1.1e-4, 5.5e-7),
    ("residual_mlp", (40,)): Measured(1.4, 0, 7e-6),
    ("two_d", (2,)): Measured(0.5, 5e-6, 2e-8),
    ("vae", (28, 28, 1)): Measured(1.5, 0, 2e-3),
    ("vgg16", (32, 32, 3)): Measured(4.0, 0, 6e-1),
    ("vgg16", (224, 224, 3)): Measured(4.0, 0, 6e-1),
    ("vgg19", (32, 32, 3)): Measured(5.0, 0, 7.6e-1),
    ("vgg19", (224, 224, 3)): Measured(5.0, 0, 7.6e-1),
    ("wide_resnet", (32, 32, 3)): Measured(3.0, 0, 1.7e-2),
}
"""By model and shape of its inputs, with plain gradient descent and no regularizer.

Processor time of one core of a common server. Of networks whose products are large the seconds of a sample are those of
two cores, taken to be 1.6 times as fast; those of vgg16 and vgg19 follow from their number of operations, those of
wide_resnet are of WRN 16-4.
"""

SHALLOW = 8
"""Hidden layers up to which a multi-layer perceptron takes as long as the table says; more take more. Likewise those of
a group of residual units, two in each, with the normalizations before them."""

RUN_SECONDS = 0.045
START_SECONDS = 3.2
"""Likewise: of a run besides its epochs; of loading TensorFlow."""

PROGRAM_SECONDS = 0.6
"""Likewise: of what comes before and after a process computes, loading regbench itself, planning, ending."""

SCALAR_SECONDS = 3.5e-4
PRODUCT_SECONDS = 5.6e-6
"""What `_scalar_work` and a product of two small matrices took there."""

_KEPT = 200
"""How many networks are kept on record, those that were trained last."""


def recorded() -> MachineSpeed:
    """What is on record of this machine; nothing where the record is of another one or cannot be read."""
    nothing = MachineSpeed(platform=platform.platform())
    try:
        found = MachineSpeed.model_validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return nothing
    return found if found.platform == nothing.platform else nothing


def record(start_seconds: float | None = None, networks: Mapping[str, Speed] | None = None) -> None:
    """Put on record what is given, in the place of what was known of it.

    Of compiling the longer time stays: a process that had compiled before tells nothing of it.
    """
    old = recorded()
    kept = dict(old.networks)
    for name, new in (networks or {}).items():
        known = kept.pop(name, new)  # so that it becomes the last
        kept[name] = new.model_copy(update={"compile_seconds": max(known.compile_seconds, new.compile_seconds)})
    speed = MachineSpeed(
        platform=old.platform,
        start_seconds=old.start_seconds if start_seconds is None else start_seconds,
        networks=dict(list(kept.items())[-_KEPT:]),
    )
    if not _path().is_absolute():
        return  # there is no home folder: a folder called ~ would be made
    with contextlib.suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        targets.replace(_path(), speed.model_dump_json().encode())


def _path() -> Path:
    return cache_file().with_name("speed.json")


def start_seconds() -> float:
    """Of a process, until it can train and after it has: on record, else from the table."""
    known = recorded().start_seconds
    loading = START_SECONDS * _slowness().scalar if known is None else known
    return loading + PROGRAM_SECONDS * _slowness().scalar


def from_table(model: str, inputs: tuple[int, ...], layers: int, batch_size: int) -> Speed | None:
    """What runs may take on this machine by the table; None where it has no such model.

    Args:
        model: its name.
        inputs: the shape of a sample; where only others are known of the model, the nearest in size counts.
        layers: how many hidden layers it has, 0 where that does not vary.
        batch_size: samples in a step.
    """
    shapes = [shape for name, shape in MEASURED if name == model]
    if not shapes:
        return None
    size = math.prod(inputs)
    nearest = min(shapes, key=lambda shape: abs(math.log(math.prod(shape) / size)))
    measured, depth = MEASURED[model, nearest], max(1.0, layers / SHALLOW)
    slowness = _slowness()
    step, sample = slowness.scalar * measured.step, slowness.product * measured.sample * size / math.prod(nearest)
    return Speed(
        compile_seconds=slowness.scalar * depth * measured.compiling,
        run_seconds=slowness.scalar * depth * RUN_SECONDS,
        sample_seconds=depth * (sample + step / batch_size),
    )


class _Slowness(NamedTuple):
    """How many times longer this machine takes than that of the table."""

    scalar: float
    product: float


@cache
def _slowness() -> _Slowness:
    """By some milliseconds of work of each kind: the least time of several, as others may use the machine too."""
    rows = np.ones((64, 64), np.float32)  # small, so that one core does it
    return _Slowness(_least(_scalar_work, 30) / SCALAR_SECONDS, _least(lambda: rows @ rows, 2_000) / PRODUCT_SECONDS)


def _scalar_work() -> None:
    sum(number * number for number in range(10_000))


def _least(work: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
