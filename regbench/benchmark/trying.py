"""Building what a candidate names before anything is run, at the ends and the default of all that is searched."""

from collections.abc import Iterable, Iterator, Sequence

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.catalog import own_code
from regbench.errors import DefinitionError
from regbench.execution import Child, Workers
from regbench.records import TUNING_SEED, Choices, RunSpec, Scalar, Searched
from regbench.tuning import space

_ANY_PROBLEM = "quadratic_deep"


def check_builds(tasks: Iterable[Task], workers: Workers | None = None) -> None:
    """Make sure that optimizers and regularizers accept what may be drawn for them, before the first trial.

    What comes with regbench is known to, and is not built: that would take the seconds in which TensorFlow is loaded.

    Args:
        tasks: of the candidates.
        workers: where runs will be computed. Where that is not in this process, it does not load TensorFlow, but a
            child of it; the user's own code is left to the workers of a cluster, which may have another.

    Raises:
        DefinitionError: a class cannot be found, or raises.
    """
    workers = workers or Workers()
    own = [task for task in tasks if not catalog.is_bundled(task.candidate)]
    if workers.cluster is not None:
        own = [task for task in own if not own_code.names_of(task.candidate)]
    specs = [spec for task in own for spec in _extremes(task)]
    if not specs:
        return
    if not workers.are_other_processes:
        _build_all(specs)
        return
    child = Child()
    try:
        child.call(_build_all, specs)
    finally:
        child.end()


def check_candidate(name: str) -> None:
    """Make sure of the same for a candidate that is looked at: none of the user's own code is run for that.

    Raises:
        DefinitionError: as `check_builds`.
    """
    task = Task.of(_ANY_PROBLEM, name)
    if not own_code.names_of(task.candidate):
        check_builds([task])


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


def _build_all(specs: Sequence[RunSpec]) -> None:
    # TensorFlow is loaded where something is built.
    from regbench.engine import environment

    environment.prepare()
    from regbench.engine import build

    for spec in specs:
        try:
            own_code.load(own_code.names_in(spec.optimizer, spec.regularizer))
            build.plain_optimizer(spec)
            build.build_regularizer(spec)
        except Exception as error:  # own classes may raise anything
            tried = ", ".join(f"{name}={value!r}" for name, value in spec.setting.items())
            reason = " ".join(str(error).split()) or type(error).__name__
            told = f" (when {tried} was tried)" if tried else ""
            raise DefinitionError(f"{spec.candidate} on {spec.problem.name}: {reason}{told}") from error
