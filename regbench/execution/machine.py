"""The driver's side of computing: hands runs to an executor, takes their results, tries again what the machine lost."""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field

from regbench.errors import ClusterError, DefinitionError, RegbenchError
from regbench.execution.interruption import Interruptions
from regbench.execution.one_run import Conditions, compute, failed
from regbench.records import RunResult, RunSpec

RETRIES = 2
_PATIENCE_SECONDS = 0.2  # until it is looked whether an interruption came or the cluster is gone


@dataclass(frozen=True)
class Attempt:
    """A run that is being computed, for the `number`th time."""

    spec: RunSpec
    number: int = 1


@dataclass(frozen=True)
class Machine:
    """An executor, and how runs are handed to it.

    Attributes:
        executor: computes.
        capacity: how many runs it is meant to compute at a time, the same whenever a search goes on.
        conditions: what each run is told besides its spec.
        retries: how often a run is tried again that the machine lost: its process died, memory or disk failed.
        interruptions: those to heed.
        function: computes one spec under the conditions, called by the executor.
        slots: how many runs it computes at a time now; `capacity` where nothing changes it.
        check: raises a `ClusterError` when the executor is gone.
        begun: the digests of the specs that are computed now; unless given, all that were handed out are.
    """

    executor: Executor
    capacity: int = 1
    conditions: Conditions = field(default_factory=Conditions)
    retries: int = RETRIES
    interruptions: Interruptions = field(default_factory=Interruptions)
    function: Callable[[RunSpec, Conditions], RunResult] = compute
    slots: Callable[[], int] | None = None
    check: Callable[[], None] = lambda: None
    begun: Callable[[], Collection[str]] | None = None

    def compute(self, specs: Iterable[RunSpec]) -> Iterator[RunResult]:
        """Compute the runs; yields each as soon as it is there.

        Whatever goes wrong in a run, up to the death of its process, is its outcome. The specs are taken one by one,
        each when there is room for it.

        Raises:
            RegbenchError: the input is at fault, so that other runs would fail in the same way.
            ClusterError: those who compute are gone.
            KeyboardInterrupt: it was interrupted; what was finished by then has been yielded.
        """
        coming = iter(specs)
        waiting: dict[Future[RunResult], Attempt] = {}
        has_dropped = False
        self.interruptions.computing = True
        try:
            while True:
                self._hand_out(coming, waiting)
                if self.interruptions.finishing and not has_dropped:
                    self._drop_what_has_not_begun(waiting)
                    has_dropped = True
                if not waiting:
                    break
                yield from self._finished(waiting)
        finally:
            self.interruptions.computing = False
        self.interruptions.check_finished()

    def _hand_out(self, coming: Iterator[RunSpec], waiting: "dict[Future[RunResult], Attempt]") -> None:
        self.check()
        room = self.capacity if self.slots is None else max(1, self.slots())
        while len(waiting) < room and not self.interruptions.finishing:
            spec = next(coming, None)
            if spec is None:
                return
            self._submit(Attempt(spec), waiting)

    def _drop_what_has_not_begun(self, waiting: "dict[Future[RunResult], Attempt]") -> None:
        """On workers that others use too, what was handed out may have to wait for theirs."""
        computed = None if self.begun is None else self.begun()
        for future, attempt in list(waiting.items()):
            if computed is not None and attempt.spec.digest() not in computed and future.cancel():
                del waiting[future]

    def _submit(self, attempt: Attempt, waiting: "dict[Future[RunResult], Attempt]") -> None:
        try:
            future = self.executor.submit(self.function, attempt.spec, self.conditions)
        except Exception as error:
            raise ClusterError(f"runs cannot be handed out any more ({error})") from error
        waiting[future] = attempt

    def _finished(self, waiting: "dict[Future[RunResult], Attempt]") -> Iterator[RunResult]:
        done = wait(waiting, timeout=_PATIENCE_SECONDS, return_when=FIRST_COMPLETED).done
        self.interruptions.check()
        if not done:
            self.check()
        crashed: list[tuple[Attempt, BaseException]] = []
        for future in done:
            attempt, error = waiting.pop(future), _error(future)
            if error is None:
                yield future.result()
            else:
                crashed.append((attempt, error))
        for attempt, error in crashed:  # when what was finished is safe
            _raise_if_others_would_fail(attempt.spec, error)
            if attempt.number > self.retries:
                yield failed(attempt.spec, error, attempt.number)
            elif not self.interruptions.finishing:
                self._submit(Attempt(attempt.spec, attempt.number + 1), waiting)


def _raise_if_others_would_fail(spec: RunSpec, error: BaseException) -> None:
    if isinstance(error, DefinitionError):
        raise DefinitionError(f"{spec.candidate} on {spec.problem.name}: {error}") from error
    if isinstance(error, RegbenchError):
        raise error


def _error(future: "Future[RunResult]") -> BaseException | None:
    try:
        return future.exception()
    except CancelledError:
        return ClusterError("those who compute have dropped a run: the scheduler is gone or was restarted")
