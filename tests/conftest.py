"""Specs as a search would make them, results as the engine would, and a machine that computes nothing."""

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import regbench.trees.bundled  # noqa: F401  comparisons have bound what `no_bundled_runs` takes from searches
from regbench import catalog, execution
from regbench.benchmark.tasks import Task
from regbench.records import Candidate, Decay, Outcome, Part, Problem, Protocol, RunResult, RunSpec, Schedule, Timings
from regbench.store import bundle

NOBODY = 65534

# Test modules may load TensorFlow before `engine/environment.py` can say so; its messages would be taken for ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


# How long an example takes, to draw or to test, says how busy the machine is.
hypothesis.settings.register_profile("regbench", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("regbench")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several processes begin with the files that have slow tests: at the end one would wait for the other."""
    if hasattr(config, "workerinput"):
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is read is not remembered in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def no_bundled_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches in this process make their runs; what comes with regbench is there for comparisons all the same."""
    monkeypatch.setattr(bundle, "source_folder", lambda source: Path(source) / "not there")


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


@pytest.fixture
def make_stored_spec() -> Callable[..., RunSpec]:
    def make(**changes: Any) -> RunSpec:
        problem = Problem(
            name="fmnist_2c2d",
            summary="Two convolutional and two dense layers on Fashion-MNIST",
            source="Schneider et al. 2019",
            dataset="fmnist",
            model=Part(name="conv_2c2d"),
            loss="sparse_categorical_crossentropy",
            metric="accuracy",
            goal="maximize",
            chance=0.1,
            batch_size=128,
            epochs=100,
            l2=0.002,
        )
        protocol = Protocol(
            name="deepobs",
            summary="DeepOBS 1.2",
            validation=True,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
        )
        inner = Part(name="sgd", arguments={"momentum": 0.9, "learning_rate": 0.005342937261279})
        values: dict[str, Any] = {
            "problem": problem,
            "candidate": "power_momentum",
            "setting": {"optimizer.inner.learning_rate": 0.005342937261279, "optimizer.power": 0.7},
            "optimizer": Part(name="signed_power", arguments={"inner": inner, "power": 0.7}),
            "regularizer": None,
            "decay": Decay(),
            "seed": 42,
            "protocol": protocol,
            "epochs": 100,
            "batch_size": 128,
        }
        return RunSpec(**(values | changes))

    return make


@pytest.fixture
def make_stored_result(make_stored_spec: Callable[..., RunSpec]) -> Callable[..., RunResult]:
    def make(spec: RunSpec | None = None, **changes: Any) -> RunResult:
        spec = spec or make_stored_spec()
        splits = ("train", "valid", "test") if spec.protocol.validation else ("train", "test")
        names = [f"{split}_accuracies" for split in splits] if spec.problem.has_accuracy else []
        curve = [2.3389398837700868 / (epoch + 1) for epoch in range(spec.epochs + 1)]
        values: dict[str, Any] = {
            "spec": spec,
            "outcome": Outcome.COMPLETED,
            "curves": {f"{split}_losses": curve for split in splits}
            | {name: [value / 10 for value in curve] for name in names}
            | {"minibatch_train_losses": [0.1 + 0.2, 1e-300, -0.0]},
            "losses_without_penalty": {f"{split}_losses": curve for split in splits},
            "final_weight_norm": 12.000000000000002,
            "data_digest": "0123abcd",
            "timings": Timings(compile_seconds=1.5, training_seconds=20.0, evaluation_seconds=3.25, total_seconds=25.0),
            "environment": {"keras": "3.15.1", "threads": 2, "peak_memory_mebibytes": 811.5, "gpu": False},
        }
        return RunResult(**(values | changes))

    return make


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder of a user who, unlike root, is stopped by permissions."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(folder)
