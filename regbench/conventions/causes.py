"""Why optimizers of one name differ between frameworks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A convention in which frameworks differ.

    Attributes:
        optimizers: the classes and functions that it is about, in lower case.
        frameworks: those that differ in it: two of them that lie on different sides of it.
        what: one sentence.
        source: where it was discussed, or whose source says it.
        only_under_schedules: whether a constant rate hides it.
        only_defaults: whether it is a matter of default values alone.
    """

    optimizers: tuple[str, ...]
    frameworks: tuple[tuple[str, ...], tuple[str, ...]]
    what: str
    source: str
    only_under_schedules: bool = False
    only_defaults: bool = False

    def tells_apart(self, one: str, other: str) -> bool:
        """Whether two frameworks lie on different sides."""
        left, right = self.frameworks
        return (one in left and other in right) or (one in right and other in left)


_KERAS, _TORCH, _OPTAX = ("keras",), ("torch", "pytorch_optimizer"), ("optax",)

CAUSES = (
    Cause(
        ("sgd",),
        (_KERAS, (*_TORCH, *_OPTAX)),
        "Keras has the learning rate inside of the velocity, so that a change of it acts at once on new gradients only",
        "keras/src/optimizers/sgd.py; pytorch PR 46118",
        only_under_schedules=True,
    ),
    Cause(
        ("adam", "adamw", "nadam"),
        (_KERAS, (*_TORCH, *_OPTAX)),
        "Keras adds epsilon before the bias correction of the second moment (epsilon-hat of Kingma and Ba), the others "
        "after it: epsilon here is epsilon there divided by the root of 1 - beta_2**t",
        "keras#17391, tf-keras#315",
    ),
    Cause(
        ("amsgrad",),
        (_OPTAX, (*_TORCH, *_KERAS)),
        "optax.amsgrad corrects the bias before it takes the maximum of second moments, the others after it",
        "optax#1389, pytorch#142323",
    ),
    Cause(
        ("nadam",),
        (_KERAS, _TORCH),
        "the momentum schedule: Keras has 0.96**t, PyTorch 0.96**(0.004 t)",
        "optax PR 719; keras/src/optimizers/nadam.py, torch/optim/nadam.py",
    ),
    Cause(
        ("nadam",),
        (_OPTAX, (*_TORCH, *_KERAS)),
        "optax has no momentum schedule at all: a look-ahead with a constant beta_1",
        "optax PR 719",
    ),
    Cause(
        ("rmsprop",),
        ((*_KERAS, *_OPTAX), _TORCH),
        "Keras and optax have epsilon inside of the root, PyTorch outside",
        "pytorch#23796, optax#532, tensorflow#58412",
    ),
    Cause(
        ("rmsprop",),
        ((*_KERAS, *_OPTAX), _TORCH),
        "with momentum, Keras and optax have the learning rate inside of the buffer",
        "pytorch PR 46118",
        only_under_schedules=True,
    ),
    Cause(
        ("rmsprop",),
        (_TORCH, (*_KERAS, *_OPTAX)),
        "the default decay rate of the second moment is 0.99 in PyTorch and 0.9 in the others",
        "signatures",
        only_defaults=True,
    ),
    Cause(
        ("adagrad",),
        (_TORCH, (*_KERAS, *_OPTAX)),
        "the default first accumulator is 0 in PyTorch and 0.1 in the others",
        "signatures",
        only_defaults=True,
    ),
    Cause(
        ("adagrad",),
        (_TORCH, (*_KERAS, *_OPTAX)),
        "PyTorch has epsilon outside of the root, the others inside",
        "torch/optim/adagrad.py, keras/src/optimizers/adagrad.py, optax/_src/transform.py",
    ),
    Cause(
        ("adamax",),
        (_KERAS, (*_TORCH, *_OPTAX)),
        "Keras adds epsilon to the maximum, the others to the gradient that goes into it",
        "keras/src/optimizers/adamax.py, torch/optim/adamax.py",
    ),
    Cause(
        ("lamb",),
        (_KERAS, (*_TORCH, *_OPTAX)),
        "Keras decays outside of the trust ratio, the others inside",
        "keras/src/optimizers/optimizer.py, optax/_src/alias.py",
    ),
    Cause(
        ("prodigy",),
        (_OPTAX, _TORCH),
        "optax corrects the bias, pytorch_optimizer and the authors' code do not unless told (bias_correction=True)",
        "optax/contrib/_prodigy.py, pytorch_optimizer/optimizer/prodigy.py",
        only_defaults=True,
    ),
    Cause(
        ("muon",),
        (_TORCH, (*_KERAS, *_OPTAX)),
        "PyTorch's original scale and optax's are the root of max(1, outputs / inputs), Keras's is rms_rate times the "
        "root of the larger of the two, or none; and PyTorch orthogonalizes in bfloat16",
        "torch/optim/_muon.py, optax/contrib/_muon.py",
    ),
)


def causes_of(one: str, other: str, is_scheduled: bool) -> list[Cause]:
    """What is known of two optimizers, `library:Name` each, at a constant rate or under a schedule."""
    (left, _, first), (right, _, second) = (name.lower().partition(":") for name in (one, other))
    named = {first, second, first.rpartition(".")[2], second.rpartition(".")[2]}
    libraries = [library.partition(".")[0] for library in (left, right)]
    return [
        cause
        for cause in CAUSES
        if named & set(cause.optimizers)
        and cause.tells_apart(libraries[0], libraries[1])
        and (is_scheduled or not cause.only_under_schedules)
    ]
