"""Where runs are computed, and that whatever goes wrong in a run stays its own affair."""

import itertools
import signal
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as futures_wait
from pathlib import Path

import pytest

from regbench.errors import ClusterError, DataError, DefinitionError
from regbench.execution import Conditions, InProcess, Interruptions, Machine, Terminated, failed, machine
from regbench.records import Outcome

RATE = {"optimizer.learning_rate": 0.01}


@pytest.fixture
def use_run(monkeypatch):
    """Puts a function in place of the engine's `run`."""
    import regbench.engine.run

    return lambda function: monkeypatch.setattr(regbench.engine.run, "run", function)


@pytest.fixture
def specs(make_task):
    return [make_task().spec(RATE, seed) for seed in range(1, 8)]


def test_runs_are_told_data_folder_time_and_company(use_run, specs, make_result):
    told = []

    def run(spec, **options):
        told.append(options)
        return make_result(spec)

    use_run(run)
    list(Machine(InProcess(), 3, Conditions(Path("data"), 60.0, 3)).compute(specs[:1]))
    conditions = {"data_dir": Path("data"), "max_seconds": 60.0, "concurrent_runs": 3, "keep_kernels": False}
    assert told == [conditions | {"guest": None}]


def test_run_is_given_out_before_the_next_one_begins(use_run, specs, make_result):
    log = []

    def run(spec, **_):
        log.append(("computed", spec.seed))
        return make_result(spec)

    use_run(run)
    with machine() as here:
        for result in here.compute(specs[:3]):
            log.append(("given out", result.spec.seed))
    assert log == [(what, seed) for seed in (1, 2, 3) for what in ("computed", "given out")]


def test_crash_is_the_outcome_of_its_run_alone(use_run, specs, make_result):
    def run(spec, **_):
        if spec.seed == 2:
            raise ZeroDivisionError("float division by zero\nand more")
        return make_result(spec)

    use_run(run)
    with machine() as here:
        results = list(here.compute(specs[:3]))
    assert [result.outcome for result in results] == [Outcome.COMPLETED, Outcome.FAILED, Outcome.COMPLETED]
    assert results[1].reason == "ZeroDivisionError: float division by zero"
    assert results[1].spec == specs[1]
    assert results[1].curves == {}


@pytest.mark.parametrize("error", [DefinitionError("x"), DataError("x"), KeyboardInterrupt(), SystemExit()])
def test_bad_input_and_interruptions_end_everything(error, use_run, specs):
    def run(spec, **_):
        raise error

    use_run(run)
    with machine() as here, pytest.raises(type(error)):
        list(here.compute(specs))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "ValueError: no message"),
        ("  first\nsecond", "ValueError: first"),
        ("in user code:\n\n    File x\n        y\n\n    KeyError: 'a'\n", "KeyError: 'a'"),
    ],
)
def test_reason_is_one_line(message, reason, specs):
    assert failed(specs[0], ValueError(message)).reason == reason


class Counting(ThreadPoolExecutor):
    """Counts what was submitted."""

    submitted = 0

    def submit(self, *arguments, **named):
        self.submitted += 1
        return super().submit(*arguments, **named)


def test_no_more_runs_are_handed_out_than_are_computed_at_a_time(use_run, specs, make_result):
    use_run(lambda spec, **_: make_result(spec))
    waiting = []
    with Counting(max_workers=3) as executor:
        seeds = []
        for result in Machine(executor, 3).compute(specs):
            waiting.append(executor.submitted - len(seeds))
            seeds.append(result.spec.seed)
    assert max(waiting) == 3
    assert sorted(seeds) == list(range(1, 8))


class Flaky:
    """Computes, but for the first attempts at each spec, in which the machine fails."""

    def __init__(self, make_result, failures):
        self.make_result, self.failures, self.attempts = make_result, failures, {}

    def __call__(self, spec, conditions):
        self.attempts[spec.seed] = self.attempts.get(spec.seed, 0) + 1
        if self.attempts[spec.seed] <= self.failures.get(spec.seed, 0):
            raise OSError("disk")
        return self.make_result(spec)


def test_run_that_the_machine_lost_is_tried_again(specs, make_result):
    flaky = Flaky(make_result, {2: 2})
    results = list(Machine(InProcess(), function=flaky).compute(specs[:3]))
    assert [result.outcome for result in results] == [Outcome.COMPLETED] * 3
    assert flaky.attempts == {1: 1, 2: 3, 3: 1}


@pytest.mark.parametrize(("retries", "reason"), [(0, "OSError: disk"), (2, "OSError: disk, in each of 3 attempts")])
def test_run_that_the_machine_loses_every_time_fails_and_the_others_go_on(retries, reason, specs, make_result):
    flaky = Flaky(make_result, {2: 100})
    results = {r.spec.seed: r for r in Machine(InProcess(), function=flaky, retries=retries).compute(specs[:3])}
    assert {seed: result.outcome for seed, result in results.items()} == {
        1: Outcome.COMPLETED,
        2: Outcome.FAILED,
        3: Outcome.COMPLETED,
    }
    assert results[2].reason == reason
    assert flaky.attempts == {1: 1, 2: retries + 1, 3: 1}


def test_what_was_finished_is_given_out_before_an_error_of_another_run_ends_everything(specs, make_result):
    def function(spec, _):
        if spec.seed == 1:
            raise DataError("missing there")
        return make_result(spec)

    class AllAtOnce(ThreadPoolExecutor):
        def submit(self, *arguments):
            future = super().submit(*arguments)
            futures_wait([future])
            return future

    seeds = []
    with AllAtOnce() as executor, pytest.raises(DataError):
        seeds.extend(result.spec.seed for result in Machine(executor, 3, function=function).compute(specs))
    assert sorted(seeds) == [2, 3]


def test_run_that_fails_by_itself_is_not_tried_again(use_run, specs):
    attempts = []

    def run(spec, **_):
        attempts.append(spec.seed)
        raise ValueError("planted")

    use_run(run)
    results = list(Machine(InProcess()).compute(specs[:2]))
    assert [result.reason for result in results] == ["ValueError: planted"] * 2
    assert attempts == [1, 2]


@pytest.mark.parametrize("error", [OSError("disk"), MemoryError("full")])
def test_memory_and_disk_are_the_machine_s_fault(error, use_run, specs):
    def run(spec, **_):
        raise error

    use_run(run)
    (result,) = Machine(InProcess()).compute(specs[:1])
    assert result.reason.endswith(", in each of 3 attempts")


def test_tensorflow_without_memory_is_the_machine_s_fault(use_run, specs):
    import tensorflow as tf

    def run(spec, **_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand more")

    use_run(run)
    (result,) = Machine(InProcess()).compute(specs[:1])
    assert result.reason == "MemoryError: OOM when allocating tensor and more, in each of 3 attempts"


def interrupted(interruptions, function, specs):
    """The seeds of the runs that were given out before the interruption."""
    seeds = []
    computing = Machine(InProcess(), interruptions=interruptions, function=function).compute(specs)
    with interruptions, pytest.raises(KeyboardInterrupt):
        seeds.extend(result.spec.seed for result in computing)
    return seeds


def test_first_interruption_lets_what_runs_finish_and_begins_nothing_more(specs, make_result):
    interruptions = Interruptions(finish=True)

    def function(spec, conditions):
        if spec.seed == 2:
            signal.raise_signal(signal.SIGINT)
        return make_result(spec)

    seeds = interrupted(interruptions, function, specs)
    assert seeds == [1, 2]


def test_second_interruption_stops_at_once(specs, make_result):
    interruptions = Interruptions(finish=True)

    def function(spec, conditions):
        if spec.seed == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return make_result(spec)

    seeds = interrupted(interruptions, function, specs)
    assert seeds == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is planted
def test_interruption_that_a_destructor_swallowed_is_raised_all_the_same(specs, make_result):
    interruptions = Interruptions()

    class Swallowing:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def function(spec, conditions):
        if spec.seed == 2:
            Swallowing()
        return make_result(spec)

    seeds = interrupted(interruptions, function, specs)
    assert seeds == [1]


def test_termination_stops_at_once_and_is_told_from_an_interruption(specs, make_result):
    interruptions = Interruptions(finish=True)

    def function(spec, conditions):
        signal.raise_signal(signal.SIGTERM)
        return make_result(spec)

    with interruptions, pytest.raises(Terminated):
        list(Machine(InProcess(), interruptions=interruptions, function=function).compute(specs))


def test_what_signals_did_before_they_do_again_afterwards():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruptions():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_ignored_interruptions_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruptions():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_run_that_the_cluster_dropped_means_that_the_scheduler_is_gone(specs):
    class Dropping(Executor):
        def submit(self, *_):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ClusterError, match="the scheduler is gone"):
        list(Machine(Dropping()).compute(specs))


def test_silent_cluster_is_looked_after(specs):
    class Silent(Executor):
        def submit(self, *_):
            return Future()

    def check():
        raise ClusterError("gone")

    with pytest.raises(ClusterError, match="gone"):
        list(Machine(Silent(), check=check).compute(specs))


def test_cluster_that_grows_is_given_more(specs, make_result):
    slots = itertools.chain([1, 1], itertools.repeat(3))
    waiting = []
    with Counting(max_workers=3) as executor:
        seeds = []
        machine_of_test = Machine(executor, 1, function=lambda spec, _: make_result(spec), slots=lambda: next(slots))
        for result in machine_of_test.compute(specs):
            waiting.append(executor.submitted - len(seeds))
            seeds.append(result.spec.seed)
    assert max(waiting) == 3
    assert sorted(seeds) == list(range(1, 8))
