"""Specs as a search would make them, results as the engine would, and a machine that computes nothing."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from regbench import catalog, execution
from regbench.records import Candidate, Decay, Outcome, Part, Problem, RunResult, RunSpec, Schedule, Timings
from regbench.tasks import Task

# Test modules may load TensorFlow before `engine/environment.py` can say so; its messages would be taken for ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is read is not remembered in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def heeded_interruptions() -> None:
    """Undo what a shell does to commands in the background, and so to all they start: they ignore SIGINT."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    """A problem and a candidate, each by name or as a record, with few epochs."""

    def make(
        problem: Problem | str = "quadratic_deep",
        candidate: Candidate | str = "sgd",
        protocol: str = "deepobs",
        schedule: Schedule | str = "none",
        epochs: int = 3,
        batch_size: int | None = None,
    ) -> Task:
        problem = catalog.problem(problem) if isinstance(problem, str) else problem
        return Task(
            problem=problem,
            candidate=catalog.candidate(candidate) if isinstance(candidate, str) else candidate,
            protocol=catalog.protocol(protocol),
            schedule=catalog.schedule(schedule) if isinstance(schedule, str) else schedule,
            epochs=epochs,
            batch_size=batch_size or problem.batch_size,
        )

    return make


@pytest.fixture(scope="session")
def make_candidate() -> Callable[..., Candidate]:
    """A candidate named `mine`, from the name and the arguments of its optimizer."""

    def make(
        optimizer: str, /, decay: Decay | None = None, regularizer: Part | None = None, **arguments: Any
    ) -> Candidate:
        return Candidate(
            name="mine",
            summary="",
            source="",
            optimizer=Part(name=optimizer, arguments=arguments),
            regularizer=regularizer,
            decay=decay or Decay(),
        )

    return make


@pytest.fixture(scope="session")
def make_result() -> Callable[..., RunResult]:
    """A completed run, from its final values by name of the curve (`valid_accuracies=0.9`); losses hold the penalty."""

    def make(
        spec: RunSpec,
        outcome: Outcome = Outcome.COMPLETED,
        seconds: float = 1.0,
        penalty: float = 0.0,
        **final: float,
    ) -> RunResult:
        curves = {name: [0.0] * spec.epochs + [value] for name, value in final.items()}
        losses = {name: [*curve[:-1], curve[-1] - penalty] for name, curve in curves.items() if name.endswith("losses")}
        return RunResult(
            spec=spec,
            outcome=outcome,
            curves=curves | {"minibatch_train_losses": [1.0]},
            losses_without_penalty=losses,
            timings=Timings(compile_seconds=0, training_seconds=0, evaluation_seconds=0, total_seconds=seconds),
            environment={},
        )

    return make


class FakeMachine:
    """Computes by a function of the spec, in a shuffled order of completion.

    Attributes:
        computed: all specs that were computed.
    """

    def __init__(self, function, capacity=1, shuffle_seed=0, max_seconds=None, keep_kernels=False):
        self.function, self.capacity, self.computed = function, capacity, []
        self.conditions = execution.Conditions(max_seconds=max_seconds, keep_kernels=keep_kernels)
        self._random = random.Random(shuffle_seed)

    def compute(self, specs):
        specs = list(specs)
        self.computed += specs
        for spec in self._random.sample(specs, len(specs)):
            yield self.function(spec)


@pytest.fixture
def use_machine(monkeypatch):
    """Makes searches compute by a function of the spec; returns what saw the specs."""

    def use(function, **options):
        machine = FakeMachine(function, **options)

        @contextmanager
        def fake(workers=0, conditions=None, **options):
            yield machine

        monkeypatch.setattr(execution, "machine", fake)
        return machine

    return use


@pytest.fixture
def by_score(make_result):
    """Returns a function from spec to run, given functions from spec to final values."""

    def make(valid, test=lambda spec: 0.5):
        def run(spec):
            values = {"test_accuracies": test(spec)}
            if spec.protocol.validation:
                values["valid_accuracies"] = valid(spec)
            return make_result(spec, **values)

        return run

    return make
