"""The clauses for networks, examined on runs as a search makes them: few samples, few epochs, plain SGD.

They need TensorFlow, which computes all runs. What they are about stands in docs/weights.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from regbench import catalog, datasets
from regbench.catalog import own_code
from regbench.contracts.verdicts import Clause, NotApplicableError, ViolationError
from regbench.engine import environment
from regbench.engine.run import run
from regbench.errors import DefinitionError
from regbench.records import Decay, Outcome, Part, Problem, RunResult, RunSpec, Selection

SEED = 1
_SAMPLES, _BATCH, _EPOCHS = 40, 8, 2
_STEP = Part(name="sgd", arguments={"learning_rate": 0.01})


@dataclass(frozen=True)
class Network:
    """The network of a problem, which has few samples here.

    Attributes:
        elsewhere: calls a function with its arguments in another process; None where there is none.
        data_dir: data folder; None searches the usual places.
    """

    problem: Problem
    elsewhere: Callable[..., Any] | None
    data_dir: Path | None

    @classmethod
    def of(cls, problem: Problem, elsewhere: Callable[..., Any] | None, data_dir: Path | None) -> Network:
        """Take few samples of each class; data without classes are small.

        Raises:
            DefinitionError: there is no such data set, or the module of the network cannot be imported.
            DataError: the data are not there.
        """
        environment.prepare()  # before own code loads Keras
        own_code.load(own_code.names_in(*own_code.parts_of(problem)))
        dataset = datasets.get(problem.dataset)
        if isinstance(problem.dataset, str) and dataset.files:
            datasets.locate(problem.dataset, data_dir)
        classes = len((problem.selection or Selection()).classes or ()) or dataset.classes
        if classes:
            selection = problem.selection or Selection()
            few = {"train_per_class": -(-_SAMPLES // classes), "test_per_class": -(-_BATCH // classes)}
            problem = problem.model_copy(update={"selection": selection.model_copy(update=few)})
        return cls(problem, elsewhere, data_dir)

    def build(self, seed: int = SEED) -> Any:
        """The network, with weights of a seed.

        Raises:
            NotApplicableError: it cannot be built, which another clause tells.
        """
        try:
            return _built(self.problem, seed)
        except DefinitionError as error:
            raise NotApplicableError("it cannot be built") from error

    def in_one_go(self) -> list[RunResult]:
        """Runs of `SEED` and the next, of which only the first compiles anything.

        Raises:
            NotApplicableError: no run can be made, which another clause tells.
        """
        if self.refusal():
            raise NotApplicableError("no run can be made of it")
        return self._made[0]

    def refusal(self) -> str:
        """Why no run can be made although nothing is wrong before it is compiled; "" where one can.

        Raises:
            NotApplicableError: something is, which another clause tells.
        """
        from regbench.engine import network

        try:
            network.check_model(self.problem, _dataset(self.problem), self.build())
        except DefinitionError as error:
            raise NotApplicableError("no run can be made of it") from error
        return self._made[1]

    @cached_property
    def _made(self) -> tuple[list[RunResult], str]:
        try:
            return [self.compiled_anew(SEED), small_run(self.problem, SEED + 1, self.data_dir)], ""
        except DefinitionError as error:
            return [], str(error)

    def compiled_anew(self, seed: int) -> RunResult:
        """A run as in a process that has run nothing."""
        from regbench.engine import program

        program.forget()
        return small_run(self.problem, seed, self.data_dir)


def small_run(problem: Problem, seed: int, data_dir: Path | None) -> RunResult:
    """A run of few steps, in this process or another."""
    environment.prepare()
    own_code.load(own_code.names_in(*own_code.parts_of(problem)))
    spec = RunSpec(
        problem=problem,
        candidate="sgd",
        setting={},
        optimizer=_STEP,
        regularizer=None,
        decay=Decay(),
        seed=seed,
        protocol=catalog.protocol("deepobs"),
        epochs=_EPOCHS,
        batch_size=_BATCH,
    )
    return run(spec, data_dir)


def _dataset(problem: Problem) -> Any:
    from regbench.engine.splits import dataset_of

    return dataset_of(problem)


def _built(problem: Problem, seed: int) -> Any:
    from regbench.engine import network

    with environment.seeded(seed):
        return network.build_model(problem, _dataset(problem))


def _violates(function: Callable[..., Any], *arguments: Any) -> None:
    try:
        function(*arguments)
    except DefinitionError as error:
        raise ViolationError(str(error)) from error


def _builds(subject: Network) -> None:
    _violates(_built, subject.problem, SEED)


def _fits_the_loss(subject: Network) -> None:
    from regbench.engine import network

    _violates(network.check_outputs, subject.problem, _dataset(subject.problem), subject.build())


def _is_float32(subject: Network) -> None:
    from regbench.engine import network

    model, dataset = subject.build(), _dataset(subject.problem)
    try:
        network.check_outputs(subject.problem, dataset, model)
    except DefinitionError as error:
        raise NotApplicableError("its outputs do not fit the loss") from error
    _violates(network.check_dtypes, subject.problem, dataset, model)


def _adds_no_loss(subject: Network) -> None:
    from regbench.engine import network

    model = subject.build()
    for training in (False, True):
        _violates(network.call, subject.problem, _dataset(subject.problem), model, training)
        _violates(network.check_penalties, subject.problem, model)


def _keeps_its_state_in_weights(subject: Network) -> None:
    refusal = subject.refusal()
    if refusal:
        raise ViolationError(refusal)


def _is_deterministic(subject: Network) -> None:
    weights = [subject.build().get_weights() for _ in range(2)]
    if not all(np.array_equal(one, other) for one, other in zip(*weights, strict=True)):
        raise ViolationError("built twice with one seed it starts from two sets of weights")
    first, _ = subject.in_one_go()
    _compare(subject.compiled_anew(SEED), first, "built and run twice with one seed it gives two curves")


def _is_the_same_warm(subject: Network) -> None:
    _, warm = subject.in_one_go()
    cold = subject.compiled_anew(SEED + 1)
    _compare(warm, cold, "a run depends on the one before it; is there state that is no weight?")


def _is_resumable(subject: Network) -> None:
    if subject.elsewhere is None:
        raise NotApplicableError("there is no other process to run it in")
    _, second = subject.in_one_go()
    subject.elsewhere(environment.prepare)  # before what it is to call loads Keras
    there = subject.elsewhere(small_run, subject.problem, SEED + 1, subject.data_dir)
    _compare(there, second, "a search that is stopped, and goes on in a new process, ends otherwise than in one go")


def _trains(subject: Network) -> None:
    result = subject.in_one_go()[0]
    if result.outcome != Outcome.COMPLETED:
        raise ViolationError(f"with plain SGD of learning rate 0.01: {result.reason}")
    losses = result.curves["train_losses"]
    if losses[0] == losses[-1]:
        raise ViolationError(f"its training loss is {losses[0]:.6g} before and after {_EPOCHS} epochs")


def _compare(one: RunResult, other: RunResult, what: str) -> None:
    """Raises `ViolationError` where two runs differ, be it in the last bit."""
    for name, curve in one.curves.items():
        theirs = other.curves[name]
        if not np.array_equal(curve, theirs, equal_nan=True):
            at = next(n for n, pair in enumerate(zip(curve, theirs, strict=True)) if pair[0] != pair[1])
            raise ViolationError(f"{what}: {name}[{at}] is {curve[at]:.9g} and {theirs[at]:.9g}")


CLAUSES = (
    Clause("builds", "the function gives a Keras model for the inputs and classes of the data", _builds),
    Clause("fits_the_loss", "it gives one tensor of the shape that the loss needs", _fits_the_loss),
    Clause("is_float32", "outputs and trainable weights are float32, whatever layers compute in", _is_float32),
    Clause("adds_no_loss", "no layer adds to the loss, also not in training", _adds_no_loss),
    Clause(
        "keeps_its_state_in_weights",
        "nothing but weights changes or is drawn, but by seeds that runs set",
        _keeps_its_state_in_weights,
    ),
    Clause("trains", "its training loss is finite, and changes in a few steps", _trains),
    Clause(
        "is_deterministic", "built and run twice with one seed it has the same weights and curves", _is_deterministic
    ),
    Clause(
        "is_the_same_warm",
        "compiled for another run, a run is the same as one that is compiled for itself",
        _is_the_same_warm,
    ),
    Clause("is_resumable", "a run in a new process is the same as one in the middle of a search", _is_resumable),
)
