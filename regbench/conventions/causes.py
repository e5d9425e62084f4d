"""Why optimizers of one name differ between frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Condition:
    """What must hold of the arguments of two optimizers, given or by default; 0, False and None count as not set.

    Attributes:
        names: what the argument is called; the first that an optimizer has is the one.
        must: `be set` in one of the two, `be off` in both, `differ`, or `not be 1` where it is set; one that does not
            have the argument has it off.
    """

    names: tuple[str, ...]
    must: Literal["be set", "be off", "differ", "not be 1"]

    def holds(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Of all arguments of both, by name."""
        values = [next((side[name] for name in self.names if name in side), None) or None for side in (one, other)]
        return {
            "be set": any(value is not None for value in values),
            "be off": all(value is None for value in values),
            "differ": values[0] != values[1],
            "not be 1": all(value != 1 for value in values),
        }[self.must]


@dataclass(frozen=True)
class Cause:
    """A convention in which frameworks differ.

    Attributes:
        optimizers: the classes and functions that it is about, in lower case.
        frameworks: groups of those that agree in it; two of different groups differ.
        what: one sentence.
        source: where it was discussed, or whose source says it.
        conditions: without any of these it has no effect.
        only_under_schedules: whether a constant rate hides it.
    """

    optimizers: tuple[str, ...]
    frameworks: tuple[tuple[str, ...], ...]
    what: str
    source: str
    conditions: tuple[Condition, ...] = field(default_factory=tuple)
    only_under_schedules: bool = False

    def tells_apart(self, one: str, other: str) -> bool:
        """Whether two frameworks are of different groups."""
        groups = [next((group for group in self.frameworks if name in group), None) for name in (one, other)]
        return None not in groups and groups[0] != groups[1]


_KERAS, _TORCH, _LIBRARY, _OPTAX = ("keras",), ("torch",), ("pytorch_optimizer",), ("optax",)
_TORCHES = (*_TORCH, *_LIBRARY)
_MOMENTUM = Condition(("momentum",), "be set")
_DECAYS = Condition(("weight_decay",), "be set")
_EPSILON = Condition(("epsilon", "eps"), "be set")
_OTHER_EPSILON = Condition(("epsilon", "eps"), "differ")
_SECOND_MOMENT = ("rho", "alpha", "decay")
_ACCUMULATOR = ("initial_accumulator_value",)
_NESTEROV = Condition(("nesterov",), "be set")
_SIGNATURES = "signatures"

CAUSES = (
    Cause(
        ("sgd",),
        (_KERAS, (*_TORCHES, *_OPTAX)),
        "Keras has the learning rate inside of the velocity, so that a change of it acts at once on new gradients only",
        "keras/src/optimizers/sgd.py; pytorch PR 46118",
        (_MOMENTUM,),
        only_under_schedules=True,
    ),
    Cause(
        ("adam", "adamw"),
        (_KERAS, (*_TORCHES, *_OPTAX)),
        "Keras adds epsilon before the bias correction of the second moment (epsilon-hat of Kingma and Ba), the others "
        "after it: epsilon here is epsilon there divided by the root of 1 - beta_2**t",
        "keras#17391, tf-keras#315",
        (_EPSILON,),
    ),
    Cause(
        ("adam", "adamw", "nadam", "adamax"),
        (_KERAS, (*_TORCHES, *_OPTAX)),
        "Keras rounds the betas to float32 before it takes their powers for the bias correction, so that 1 - beta_2**t "
        "is another in its fifth digit; nothing to worry about",
        "keras/src/optimizers/adam.py",
    ),
    Cause(
        ("adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta"),
        (_KERAS, _TORCHES, _OPTAX),
        "epsilon has another value: the default is 1e-7 in Keras and 1e-8 in PyTorch and optax (Adagrad 1e-10 in "
        "PyTorch and 1e-7 in optax, Adadelta 1e-6 in both)",
        _SIGNATURES,
        (_OTHER_EPSILON,),
    ),
    Cause(
        ("adamw",),
        (_KERAS, _TORCHES, _OPTAX),
        "the decay has another strength: the default is 0.01 in PyTorch, 0.004 in Keras, 0.0001 in optax",
        _SIGNATURES,
        (Condition(("weight_decay",), "differ"),),
    ),
    Cause(
        ("amsgrad",),
        (_OPTAX, (*_TORCHES, *_KERAS)),
        "optax.amsgrad corrects the bias before it takes the maximum of second moments, the others after it",
        "optax#1389, pytorch#142323",
        (Condition(("amsgrad",), "be set"),),
    ),
    Cause(
        ("amsgrad",),
        (_OPTAX, (*_TORCHES, *_KERAS)),
        "one of them does not take the maximum of second moments, which amsgrad=True asks for",
        _SIGNATURES,
        (Condition(("amsgrad",), "be off"),),
    ),
    Cause(
        ("nadam",),
        (_KERAS, _TORCH),
        "the momentum schedule: Keras has 0.96**t, PyTorch 0.96**(momentum_decay t), which is 0.004 unless given",
        "optax PR 719; keras/src/optimizers/nadam.py, torch/optim/nadam.py",
        (Condition(("momentum_decay",), "not be 1"),),
    ),
    Cause(
        ("nadam",),
        (_OPTAX, (*_KERAS, *_TORCH)),
        "optax has no momentum schedule at all: a look-ahead with a constant beta_1",
        "optax PR 719",
    ),
    Cause(
        ("rmsprop",),
        ((*_KERAS, *_OPTAX), _TORCHES),
        "Keras and optax have epsilon inside of the root, PyTorch outside",
        "pytorch#23796, optax#532, tensorflow#58412",
        (_EPSILON,),
    ),
    Cause(
        ("rmsprop",),
        ((*_KERAS, *_OPTAX), _TORCHES),
        "with momentum, Keras and optax have the learning rate inside of the buffer",
        "pytorch PR 46118",
        (_MOMENTUM,),
        only_under_schedules=True,
    ),
    Cause(
        ("rmsprop",),
        (_TORCHES, (*_KERAS, *_OPTAX)),
        "the decay rate of the second moment has another value: the default is 0.99 in PyTorch and 0.9 in the others",
        _SIGNATURES,
        (Condition(_SECOND_MOMENT, "differ"),),
    ),
    Cause(
        ("adagrad",),
        (_TORCHES, (*_KERAS, *_OPTAX)),
        "the first accumulator has another value: the default is 0 in PyTorch and 0.1 in the others",
        _SIGNATURES,
        (Condition(_ACCUMULATOR, "differ"),),
    ),
    Cause(
        ("adagrad",),
        (_TORCHES, (*_KERAS, *_OPTAX)),
        "PyTorch has epsilon outside of the root, the others inside",
        "torch/optim/adagrad.py, keras/src/optimizers/adagrad.py, optax/_src/transform.py",
        (_EPSILON,),
    ),
    Cause(
        ("adamax",),
        (_KERAS, (*_TORCHES, *_OPTAX)),
        "Keras adds epsilon to the maximum, the others to the gradient that goes into it",
        "keras/src/optimizers/adamax.py, torch/optim/adamax.py",
        (_EPSILON,),
    ),
    Cause(
        ("lamb",),
        (_KERAS, (*_TORCHES, *_OPTAX)),
        "Keras decays outside of the trust ratio, the others inside",
        "keras/src/optimizers/optimizer.py, optax/_src/alias.py",
        (_DECAYS,),
    ),
    Cause(
        ("prodigy",),
        (_OPTAX, _LIBRARY),
        "optax corrects the bias, pytorch_optimizer and the authors' code do not unless told (bias_correction=True)",
        "optax/contrib/_prodigy.py, pytorch_optimizer/optimizer/prodigy.py",
        (Condition(("bias_correction",), "be off"),),
    ),
    Cause(
        ("prodigy",),
        (_OPTAX, _LIBRARY),
        "pytorch_optimizer sums up what it estimates in float32, whatever the weights are",
        "pytorch_optimizer/optimizer/prodigy.py",
    ),
    Cause(
        ("adopt",),
        (_OPTAX, _LIBRARY),
        "the limit of a step's entries is the fourth root of the number of steps before it in optax and in the "
        "authors' code, and of the step itself in pytorch_optimizer",
        "optax/contrib/_adopt.py, pytorch_optimizer/optimizer/adopt.py",
    ),
    Cause(
        ("muon",),
        (_TORCH, (*_KERAS, *_OPTAX)),
        "PyTorch orthogonalizes in bfloat16",
        "torch/optim/_muon.py",
    ),
    Cause(
        ("muon",),
        (_TORCH, _OPTAX),
        "rows are outputs in PyTorch and inputs in optax, so that the scale, the root of max(1, outputs / inputs), is "
        "another for the same array: a port must transpose",
        "torch/optim/_muon.py, optax/contrib/_muon.py",
        (Condition(("adjust_lr_fn", "consistent_rms"), "be off"),),
    ),
    Cause(
        ("muon",),
        (_KERAS, (*_TORCH, *_OPTAX)),
        "the scale of a step: PyTorch's and optax's is the root of max(1, outputs / inputs) by default, Keras's is "
        "rms_rate times the root of the larger of the two (adjust_lr_fn='match_rms_adamw', consistent_rms=0.2), or "
        "none",
        "keras/src/optimizers/muon.py, torch/optim/_muon.py, optax/contrib/_muon.py",
        (Condition(("adjust_lr_fn", "consistent_rms"), "be off"),),
    ),
    Cause(
        ("muon",),
        (_OPTAX, (*_KERAS, *_TORCH)),
        "with Nesterov momentum optax corrects the bias of both of its parts, which then weigh otherwise in the first "
        "steps",
        "optax/contrib/_muon.py",
        (_NESTEROV,),
    ),
)


def causes_of(
    one: str,
    other: str,
    is_scheduled: bool,
    arguments: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> list[Cause]:
    """What is known of two optimizers, at a constant rate or under a schedule.

    Args:
        one: `library:Name`.
        other: likewise.
        is_scheduled: whether the learning rate changes.
        arguments: all of each, given or by default.
    """
    (left, _, first), (right, _, second) = (name.lower().partition(":") for name in (one, other))
    named = {first, second}
    libraries = [library.partition(".")[0] for library in (left, right)]
    return [
        cause
        for cause in CAUSES
        if named & set(cause.optimizers)
        and cause.tells_apart(libraries[0], libraries[1])
        and (is_scheduled or not cause.only_under_schedules)
        and all(condition.holds(*arguments) for condition in cause.conditions)
    ]
