"""The definition of a run, from the keys of the four dialects of result files and of regbench's own.

| | 1.1 | 1.2 | crowded_valley | nonlinear | regbench |
|--|--|--|--|--|--|
| optimizer | `optimizer` | `optimizer_name` | as 1.2 | as 1.2 | as 1.2 |
| hyperparameters | `hyperparams`, `learning_rate` | `optimizer_hyperparams` | as 1.2 | as 1.2 | as 1.2 |
| schedule | `lr_sched_*` at the top | in `training_params` | as 1.2 | as 1.2 | in `regbench.spec` |
| L2 factor | `weight_decay` | `weight_decay` | `l2_reg` | `weight_decay` | in `regbench.decay` |
| known by | `optimizer` | none of the others | `l2_reg` | `_nodecay`, `PowKernel...`, `weight_decay_opt` | `regbench` |

Values come from the JSON alone. An L2 factor of null, or none at all, is the problem's own; a problem whose name ends
in `_nodecay` is the one without that ending, with a factor of 0.

PyTorch's DeepOBS and cockpit write as 1.2, or with `l2_reg`, which is the problem's own L2; their optimizers are
classes of PyTorch, whose rate is `lr`. What `weight_decay` among the hyperparameters of one is, `conventions.DECAYS`
says; of an optimizer of unknown origin it is unknown.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from regbench.conventions import decay_of
from regbench.records import OLD_RAMP, WARMUP, Coupling
from regbench.store import deepobs
from regbench.trees.crowded_valley import space_of
from regbench.trees.fields import (
    read_name,
    read_number,
    read_number_if_any,
    read_table,
    read_table_if_any,
    read_word,
    shown,
)
from regbench.trees.irregularities import NoRunError
from regbench.trees.problem_facts import ProblemFacts
from regbench.trees.schedules import schedule_name
from regbench.trees.settings import UNKNOWN

NO_DECAY = "_nodecay"
CONVERTED_FROM = "converted_from"
"""The key under which `convert` notes the dialect of the original, because it tells the protocol."""

CROWDED_VALLEY = "crowded_valley"
DIALECTS = ("regbench", "1.2", "1.1", CROWDED_VALLEY, "nonlinear")
NEWER_AND_OLDER = (
    ("optimizer_name", "optimizer"),
    ("optimizer_hyperparams", "hyperparams"),
    ("l2_reg", "weight_decay"),
)
"""Keys of which a file has one."""

_NONLINEAR = "PowKernel"
_DECOUPLED_STRENGTH = "weight_decay_opt"
_OWN_STRENGTH = "weight_decay"
_RATE_OF_TORCH = "lr"
_COUPLINGS = {"l2": Coupling.L2, "decoupled": Coupling.DECOUPLED, "none": Coupling.NONE}
_DECOUPLED_SUFFIXES = {"W_scaled": Coupling.DECOUPLED, "W_momscaled": Coupling.DECOUPLED_MOMENTUM}
_PUBLISHED = {
    "GradientDescentOptimizer": "sgd",
    "MomentumOptimizer": "momentum",
    "NAGOptimizer": "nag",
    "AdagradOptimizer": "adagrad",
    "AdadeltaOptimizer": "adadelta",
    "RMSPropOptimizer": "rmsprop",
    "AdamOptimizer": "adam",
    "AMSGrad": "amsgrad",
    "NadamOptimizer": "nadam",
    "RAdamOptimizer": "radam",
    "AdaBoundOptimizer": "adabound",
    "AMSBoundOptimizer": "amsbound",
    "LookaheadOptimizerMBGDMomentum": "lookahead_momentum",
    "LookaheadOptimizerRAdam": "lookahead_radam",
    "PowKernelGradientDescentOptimizer": "power_sgd",
    "PowKernelMomentumOptimizer": "power_momentum",
    "PowKernelMomentumOptimizerN": "power_nesterov",
}


class RunDefinition(NamedTuple):
    """The definition of a run in the words of `frames.RUNS`; `hyperparameters` lack the strength of the decay.

    `may_have_penalty`: of files of others, whether their losses may hold an L2 term.
    """

    dialect: str
    optimizer: str
    candidate: str
    hyperparameters: dict[str, Any]
    coupling: str
    decay: float
    protocol: str
    schedule: str
    release: str = ""
    may_have_penalty: bool = False


def our_definition(table: Mapping[str, Any], ours: Mapping[str, Any]) -> RunDefinition:
    """Read the definition from a file of ours and the object `regbench` in it.

    Raises:
        NoRunError: a key is missing or does not fit; so do all functions here.
    """
    version = ours.get("format_version")
    if version != deepobs.FORMAT_VERSION:
        must = f"`format_version` must be {deepobs.FORMAT_VERSION}"
        raise NoRunError("not_a_result", f"{must}. Received: {shown(version)}")
    spec, decay = read_table(ours, "spec"), read_table(ours, "decay")
    schedule = read_table(spec, "schedule")
    schedule_word = read_name(schedule, "name")
    if schedule_word == "step":
        schedule_word = schedule_name(*_schedule_lists(schedule, "epochs", "factors"), num_epochs=0)
    elif schedule_word == "ltr" and schedule.get("version", 1) == 1:
        schedule_word = OLD_RAMP
    elif schedule.get("warmup", WARMUP) != WARMUP and deepobs.WARMUP_SETTING not in read_table(spec, "setting"):
        schedule_word = f"{schedule_word} {read_number(schedule, 'warmup')!r}"
    hyperparameters = dict(read_table(table, "optimizer_hyperparams"))
    hyperparameters.pop("decay.strength", None)
    name = read_name(table, "optimizer_name")
    strength = read_number(decay, "strength")
    coupling = read_word(decay, "coupling", tuple(Coupling))
    return RunDefinition(
        dialect="regbench",
        optimizer=name,
        candidate=name,
        hyperparameters=hyperparameters,
        coupling=coupling if strength else Coupling.NONE.value,  # of the problem's own L2, where it has none
        decay=strength,
        protocol=read_name(read_table(spec, "protocol"), "name"),
        schedule=schedule_word,
    )


def foreign_definition(
    table: Mapping[str, Any], problem: str, facts: ProblemFacts | None, epochs: int
) -> RunDefinition:
    """Read the definition from a file of others.

    Args:
        table: the object in the file.
        problem: its name, as in the file.
        facts: what is known of the problem.
        epochs: how many were promised.
    """
    optimizer = read_name(table, _key_of_optimizer(table))
    hyperparameters = original_hyperparameters(table)
    candidate = _candidate(optimizer, hyperparameters)
    l2 = l2_factor(table)
    if l2 is None:
        l2 = 0.0 if problem.endswith(NO_DECAY) else (facts and facts.l2)
    coupling, decay = _decay(optimizer, hyperparameters, l2)
    decays_itself = decays_by_itself(table)
    if coupling != UNKNOWN:
        hyperparameters.pop(_OWN_STRENGTH, None)
    dialect, converted_from = _dialect(table, problem, optimizer, hyperparameters), table.get(CONVERTED_FROM)
    hyperparameters.pop(_DECOUPLED_STRENGTH, None)
    schedule = _schedule_lists(training_parameters(table), "lr_sched_epochs", "lr_sched_factors")
    return RunDefinition(
        dialect=dialect,
        optimizer=optimizer,
        candidate=candidate,
        hyperparameters=hyperparameters,
        coupling=coupling,
        decay=decay,
        protocol="deepobs-1.1" if "1.1" in (dialect, converted_from) else "deepobs",
        schedule=schedule_name(*schedule, epochs),
        release=space_of(candidate, hyperparameters) if CROWDED_VALLEY in (dialect, converted_from) else "",
        may_have_penalty=coupling == UNKNOWN or (coupling == Coupling.L2 and not decays_itself),
    )


def decays_by_itself(table: Mapping[str, Any]) -> bool:
    """Whether the optimizer of a file of others is known to decay the weights, which is no part of the losses."""
    coupling, strength = _own_decay(read_name(table, _key_of_optimizer(table)), original_hyperparameters(table))
    return coupling != UNKNOWN and strength != 0


def l2_factor(table: Mapping[str, Any]) -> float | None:
    """The L2 factor as a file of others has it; None for the problem's own."""
    return read_number_if_any(table, "l2_reg" if "l2_reg" in table else "weight_decay")


def original_hyperparameters(table: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters as a file has them, the learning rate among them."""
    if "optimizer_hyperparams" in table:
        return dict(read_table(table, "optimizer_hyperparams"))
    alone = {"learning_rate": table["learning_rate"]} if "learning_rate" in table else {}
    return alone | read_table(table, "hyperparams")


def training_parameters(table: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule, and whatever else is in `training_params`, as a file has it."""
    keys = ("lr_sched_epochs", "lr_sched_factors")
    return {key: table[key] for key in keys if key in table} | read_table_if_any(table, "training_params")


def _key_of_optimizer(table: Mapping[str, Any]) -> str:
    return "optimizer" if "optimizer" in table and "optimizer_name" not in table else "optimizer_name"


def _dialect(table: Mapping[str, Any], problem: str, optimizer: str, hyperparameters: Mapping[str, Any]) -> str:
    if _key_of_optimizer(table) == "optimizer":
        return "1.1"
    if "l2_reg" in table:
        return CROWDED_VALLEY
    is_nonlinear = problem.endswith(NO_DECAY) or optimizer.startswith(_NONLINEAR)
    return "nonlinear" if is_nonlinear or _DECOUPLED_STRENGTH in hyperparameters else "1.2"


def _candidate(optimizer: str, hyperparameters: Mapping[str, Any]) -> str:
    """Our name of a published optimizer; any other's own."""
    suffix = next((suffix for suffix in _DECOUPLED_SUFFIXES if optimizer.endswith(suffix)), "")
    plain = optimizer.removesuffix(suffix)
    if plain not in _PUBLISHED:
        return optimizer
    is_nesterov = plain == "MomentumOptimizer" and hyperparameters.get("use_nesterov") is True
    name = "nag" if is_nesterov else _PUBLISHED[plain]
    return f"{name}_{_DECOUPLED_SUFFIXES[suffix]}" if suffix else name


def _decay(optimizer: str, hyperparameters: Mapping[str, Any], l2: float | None) -> tuple[str, float]:
    """Coupling and strength of the decay; unknown where the problem's own L2 is, or where several may act at once."""
    if l2 is None:
        return UNKNOWN, math.nan
    acting = [
        (Coupling.L2.value, l2),
        _published_decay(optimizer, hyperparameters),
        _own_decay(optimizer, hyperparameters),
    ]
    acting = [(coupling, strength) for coupling, strength in acting if strength]
    if len(acting) > 1:
        return UNKNOWN, math.nan
    return acting[0] if acting else (Coupling.NONE.value, 0.0)


def _published_decay(optimizer: str, hyperparameters: Mapping[str, Any]) -> tuple[str, float]:
    """The decay of the dialect nonlinear, whose coupling the optimizer's name tells."""
    couplings = [coupling for suffix, coupling in _DECOUPLED_SUFFIXES.items() if optimizer.endswith(suffix)]
    strength = read_number_if_any(hyperparameters, _DECOUPLED_STRENGTH)
    return (couplings or [Coupling.DECOUPLED])[0].value, strength or 0.0


def _own_decay(optimizer: str, hyperparameters: Mapping[str, Any]) -> tuple[str, float]:
    """What an optimizer of PyTorch does by itself, unless told by its default; unknown for others."""
    meaning = decay_of(f"torch:{optimizer}") if _RATE_OF_TORCH in hyperparameters else None
    coupling = None if meaning is None else _COUPLINGS.get(meaning.coupling)
    if meaning is None or coupling is None:
        return UNKNOWN, math.nan if hyperparameters.get(_OWN_STRENGTH) else 0.0
    if hyperparameters.get("decoupled_weight_decay"):
        coupling = Coupling.DECOUPLED
    strength = read_number_if_any(hyperparameters, _OWN_STRENGTH)
    return coupling.value, (meaning.default if strength is None else strength) or 0.0


def _schedule_lists(table: Mapping[str, Any], epochs: str, factors: str) -> tuple[list[int], list[float]]:
    lists = [table.get(key) or [] for key in (epochs, factors)]
    fit = all(isinstance(values, list) for values in lists) and len(lists[0]) == len(lists[1])
    if not (fit and set(map(type, lists[0])) <= {int} and set(map(type, lists[1])) <= {int, float}):
        raise NoRunError("not_a_result", f"`{epochs}` and `{factors}` must be lists of as many numbers, or null")
    try:
        return lists[0], list(map(float, lists[1]))
    except OverflowError as error:
        raise NoRunError("not_a_result", f"`{factors}` must be numbers that a float can hold") from error
