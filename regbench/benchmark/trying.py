"""Building what a search names before anything is run: the network, and candidates at the ends of what is searched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regbench import catalog, guests
from regbench.benchmark.tasks import Task
from regbench.catalog import own_code
from regbench.catalog.frameworks import framework_of
from regbench.conventions import warnings_on
from regbench.errors import DefinitionError
from regbench.execution import Child, Workers
from regbench.records import EACH_STEP, TUNING_SEED, Candidate, Choices, Part, Problem, RunSpec, Scalar, Searched
from regbench.tuning import space

_ANY_PROBLEM, _ANY_CANDIDATE = "quadratic_deep", "sgd"


def check_builds(tasks: Sequence[Task], workers: Workers | None = None) -> list[str]:
    """Make sure that networks can be built, and classes accept what may be drawn for them, before the first trial.

    What comes with regbench is known to, and is not built: that would take the seconds in which TensorFlow is loaded.

    Args:
        tasks: of the candidates, on one problem.
        workers: where runs will be computed. Where that is not in this process, it does not load TensorFlow, but a
            child of it.

    Returns:
        What who wants the search should know of its candidates, a line each.

    Raises:
        DefinitionError: something cannot be found, raises, or is not what it must be.
    """
    return _check(tasks, _of_own(tasks), workers or Workers())


def check_run(task: Task, spec: RunSpec) -> list[str]:
    """Make sure of the same for a single run."""
    return _check([task], [] if catalog.is_bundled(task.candidate) else [spec], Workers())


def check_candidate(candidate: str | Candidate) -> list[str]:
    """Make sure of the same for a candidate that is looked at, on no problem in particular."""
    compared = candidate if isinstance(candidate, Candidate) else catalog.candidate(candidate)
    schedule = "none" if compared.warmup is None else EACH_STEP[0]
    tasks = [Task.of(_ANY_PROBLEM, compared, schedule=schedule)]
    return _check(tasks, _of_own(tasks), Workers(), is_looked_at=True)


def check_network(problem: str) -> None:
    """Make sure of the same for a problem that is looked at."""
    check_builds([Task.of(problem, _ANY_CANDIDATE)])


@dataclass(frozen=True)
class _Tried:
    """What is to be built.

    Attributes:
        problem: whose network is; None where it is known to be sound, and needed for nothing else.
        specs: whose optimizers and regularizers are.
        sources: the digests of the user's own code.
        is_looked_at: the candidate is meant for no problem in particular.
    """

    problem: Problem | None
    specs: Sequence[RunSpec]
    sources: Mapping[str, str]
    is_looked_at: bool


def _check(tasks: Sequence[Task], specs: Sequence[RunSpec], workers: Workers, is_looked_at: bool = False) -> list[str]:
    problem = tasks[0].problem
    for task in () if is_looked_at else tasks:
        guests.check_installed(task.candidate.optimizer)
    is_needed = not catalog.is_bundled(problem) or any(
        own_code.names_in(spec.optimizer) or framework_of(spec.optimizer) or _is_per_layer(spec.regularizer)
        for spec in specs
    )
    sources = {name: digest for task in tasks for name, digest in task.sources.items()}
    told = [line for task in tasks for line in warnings_on(task.candidate)]
    if not (specs or is_needed):
        return told
    tried = _Tried(problem if is_needed else None, specs, sources, is_looked_at)
    if workers.are_other_processes or any(framework_of(spec.optimizer) for spec in specs):
        child = Child()
        try:
            told += child.call(_build_all, tried)
        finally:
            child.end()
    else:
        told += _build_all(tried)
    own_code.check_sources(sources)
    return list(dict.fromkeys(told))


def _of_own(tasks: Sequence[Task]) -> list[RunSpec]:
    return [spec for task in tasks if not catalog.is_bundled(task.candidate) for spec in _extremes(task)]


def _is_per_layer(regularizer: Part | None) -> bool:
    return regularizer is not None and any(isinstance(one, Part) for one in regularizer.arguments.values())


def _extremes(task: Task) -> Iterator[RunSpec]:
    """Runs that differ from one in a single value each, which is at an end of its range, or its default."""
    tried = {name: _values(searched) for name, searched in task.candidate.searched().items()}
    first = {name: values[0] for name, values in tried.items()}
    yield task.spec(first, TUNING_SEED)
    for name, values in tried.items():
        for value in values[1:]:
            yield task.spec(first | {name: value}, TUNING_SEED)


def _values(searched: Searched) -> list[Scalar]:
    """What is tried, the default first."""
    if isinstance(searched, Choices):
        values: list[Scalar] = list(searched.choices)
    else:
        values = [space.value(searched, end) for end in searched.ends()]
    return values if searched.default is None else [space.default(searched), *values]


def _build_all(tried: _Tried) -> list[str]:
    """Build all of it; returns what guests have to say."""
    for framework in sorted({framework_of(spec.optimizer) for spec in tried.specs}, reverse=True):
        guests.prepare(framework)
    # TensorFlow is loaded where something is built.
    from regbench.engine import environment

    environment.prepare()
    from regbench.engine import build, decays, hosting, network
    from regbench.engine.objective import regularized
    from regbench.engine.weights import Weights

    model: Any = None
    if tried.problem is not None:
        try:
            own_code.load(own_code.names_in(*own_code.parts_of(tried.problem)), tried.sources)
            model = network.checked_model(tried.problem)
        except DefinitionError as error:
            raise DefinitionError(f"{tried.problem.name}: {error}") from error
    told: list[str] = []
    built: set[str] = set()
    for spec in tried.specs:
        try:
            own_code.load(own_code.names_in(spec.optimizer, spec.regularizer), tried.sources)
            guest = guests.guest_of(spec.optimizer)
            told += guest.notices if guest is not None else []
            optimizer, regularizer = build.plain_optimizer(spec, guest), build.build_regularizer(spec)
            if guest is not None and model is not None:
                hosting.try_to_begin(guest, model, decays.is_decoupled(spec))
            elif own_code.names_in(spec.optimizer) and spec.candidate not in built:
                # its state is as large as the network
                optimizer.build(model.trainable_variables)
                built.add(spec.candidate)
            if isinstance(regularizer, dict) and not tried.is_looked_at:  # one for each layer that it names
                regularized(regularizer, Weights(model))
        except (Exception, SystemExit) as error:  # own classes may raise anything
            values = ", ".join(f"{name}={value!r}" for name, value in spec.setting.items())
            reason = " ".join(str(error).split()) or type(error).__name__
            when = f" (when {values} was tried)" if values else ""
            place = "" if tried.is_looked_at else f" on {spec.problem.name}"
            raise DefinitionError(f"{spec.candidate}{place}: {reason}{when}") from error
    return told
