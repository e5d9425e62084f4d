"""Examining a class, or the network of a problem."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from regbench.contracts.guests import CLAUSES as GUEST_CLAUSES
from regbench.contracts.guests import GuestSubject, departure
from regbench.contracts.networks import CLAUSES as NETWORK_CLAUSES
from regbench.contracts.networks import Network
from regbench.contracts.optimizers import CLAUSES as OPTIMIZER_CLAUSES
from regbench.contracts.regularizers import CLAUSES as REGULARIZER_CLAUSES
from regbench.contracts.subject import Subject
from regbench.contracts.verdicts import Clause, NotApplicableError, Ruling, Verdict, ViolationError
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Problem

LONGEST_MESSAGE = 500


def clauses_for(target: type) -> dict[str, Clause]:
    """The clauses for a class, by name.

    Raises:
        DefinitionError: it is neither a Keras optimizer nor a Keras regularizer.
    """
    clauses: tuple[Clause, ...]
    if inspect.isclass(target) and issubclass(target, keras.optimizers.Optimizer):
        clauses = OPTIMIZER_CLAUSES
    elif inspect.isclass(target) and issubclass(target, keras.regularizers.Regularizer):
        clauses = REGULARIZER_CLAUSES
    else:
        raise DefinitionError(
            "What is checked must be a subclass of `keras.optimizers.Optimizer` or `keras.regularizers.Regularizer`. "
            f"Received: {target!r}"
        )
    return {clause.name: clause for clause in clauses}


def is_of_keras(target: Any) -> bool:
    """Whether it is a class of Keras's kind, optimizer or regularizer."""
    return inspect.isclass(target) and issubclass(target, keras.optimizers.Optimizer | keras.regularizers.Regularizer)


def check(
    target: type,
    arguments: Mapping[str, Any] | None = None,
    exceptions: Mapping[str, str] | None = None,
    clauses: Sequence[str] | None = None,
) -> list[Verdict]:
    """Examines the clauses on instances of a class.

    Seeds Python, NumPy and the backend.

    Args:
        target: An optimizer or a regularizer that takes its arguments by name.
        arguments: Of its constructor. Those not given keep their defaults, except that `factor` gets 0.01 and
            `inner_optimizer` gets `keras.optimizers.SGD(0.01, momentum=0.9)`. Regularizers see kernels of shape (6, 4)
            and (3, 3, 2, 4); of one of them only if they have an attribute `default_kernels` that is "dense" or
            "convolution".
        exceptions: Clauses that need not hold, each with the reason. One that does hold then fails: the exception is
            to be removed.
        clauses: Names of those to examine; all unless given.

    Raises:
        DefinitionError: the class is neither, no instance can be made, or there is no such clause.
    """
    known, exceptions = clauses_for(target), exceptions or {}
    chosen = _chosen(known, clauses, exceptions, target.__name__)
    subject = Subject.of(target, arguments or {})
    return [_verdict(clause, subject, exceptions.get(clause.name)) for clause in chosen]


def check_network(
    problem: Problem,
    *,
    elsewhere: Callable[..., Any] | None = None,
    data_dir: Path | None = None,
    clauses: Sequence[str] | None = None,
) -> list[Verdict]:
    """Examines the clauses on the network of a problem, on a few samples of its data.

    Args:
        problem: `model` names the function that builds the network, and its arguments.
        elsewhere: calls a function with its arguments in another process, and gives what comes of it; without it the
            clause on that does not apply.
        data_dir: data folder; None searches the usual places.
        clauses: names of those to examine; all unless given.

    Raises:
        DefinitionError: there is no such clause, model or data set.
        DataError: the data are not there.
    """
    known = {clause.name: clause for clause in NETWORK_CLAUSES}
    chosen = _chosen(known, clauses, {}, problem.model.name)
    subject = Network.of(problem, elsewhere, data_dir)
    return [_verdict(clause, subject, None) for clause in chosen]


def check_guest(
    name: str,
    arguments: Mapping[str, Any] | None = None,
    clauses: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Verdict]:
    """Examines the clauses on an optimizer of another framework; for PyTorch in a process without TensorFlow.

    Args:
        name: as in a candidate: `torch:AdamW`, `my_module:MyOptimizer`.
        arguments: its own, and those of a candidate's part (`apply_to`, `rest`). A learning rate that is required and
            not given is 0.01.
        clauses: names of those to examine; all unless given.
        warn: called with a line on what else should be known of it.

    Raises:
        DefinitionError: there is no such optimizer, it cannot be made, or there is no such clause.
    """
    known = {clause.name: clause for clause in GUEST_CLAUSES}
    chosen = _chosen(known, clauses, {}, name)
    subject = GuestSubject.of(name, dict(arguments or {}))
    if warn is not None:
        for notice in subject.begun().notices:
            warn(notice)
    return [_verdict(clause, subject, departure(clause.name, subject.part)) for clause in chosen]


def _chosen(
    known: Mapping[str, Clause], clauses: Sequence[str] | None, exceptions: Mapping[str, str], where: str
) -> list[Clause]:
    names = list(known) if clauses is None else list(clauses)
    for name in [*names, *exceptions]:
        if name not in known:
            raise UnknownNameError("clause", name, known, where=where)
    return [known[name] for name in names]


def _verdict(clause: Clause, subject: Any, exception: str | None) -> Verdict:
    ruling, message = _examine(clause, subject)
    if exception is not None and ruling in (Ruling.FAILS, Ruling.WARNS):
        ruling, message = Ruling.EXCEPTED, exception
    elif exception is not None and ruling is Ruling.HOLDS:
        ruling, message = Ruling.FAILS, f"it holds, so this exception is no longer needed: {exception}"
    return Verdict(clause.name, clause.must_hold, ruling, message)


def _examine(clause: Clause, subject: Any) -> tuple[Ruling, str]:
    try:
        clause.examine(subject)
    except NotApplicableError as reason:
        return Ruling.NOT_APPLICABLE, str(reason)
    except ViolationError as violation:
        return Ruling.WARNS if clause.is_style else Ruling.FAILS, str(violation)
    except Exception as error:  # noqa: BLE001  a class under examination may raise anything
        # What went wrong stands at the beginning or, where TensorFlow puts the lines of the function first, at the end.
        message, half = " ".join(str(error).split()), LONGEST_MESSAGE // 2
        shortened = message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} ... {message[-half:]}"
        return Ruling.FAILS, f"it raised {type(error).__name__}: {shortened}"
    return Ruling.HOLDS, ""
