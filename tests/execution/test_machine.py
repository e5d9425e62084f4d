"""Where runs are computed, and that whatever goes wrong in a run stays its own affair."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from regbench import execution
from regbench.engine.cores import available_cores
from regbench.errors import DataError, DefinitionError
from regbench.execution import InProcess, Machine, failed, machine
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
    list(Machine(InProcess(), 3, Path("data"), 60.0).compute(specs[:1]))
    assert told == [{"data_dir": Path("data"), "max_seconds": 60.0, "concurrent_runs": 3, "keep_kernels": False}]


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


@pytest.mark.slow
def test_full_process_computes_in_children_one_after_the_other(monkeypatch):
    monkeypatch.setattr(execution, "is_crowded", lambda: True)
    monkeypatch.setattr(execution, "RUNS_OF_A_CHILD", 2)
    with InProcess() as executor:
        workers = [executor.submit(os.getpid).result() for _ in range(5)]
    first, second, third = dict.fromkeys(workers)
    assert workers == [first, first, second, second, third]
    assert os.getpid() not in workers


@pytest.mark.slow
def test_death_of_a_child_is_the_outcome_of_its_run_alone(monkeypatch):
    monkeypatch.setattr(execution, "is_crowded", lambda: True)
    with InProcess() as executor:
        assert isinstance(executor.submit(os.abort).exception(), BrokenExecutor)
        assert executor.submit(os.getpid).result() != os.getpid()


@pytest.mark.slow
def test_child_ends_when_its_parent_is_killed():
    script = (
        "import os, time\n"
        "from regbench import execution\n"
        "if __name__ == '__main__':\n"
        "    execution.is_crowded = lambda: True\n"
        "    executor = execution.InProcess()\n"
        "    print(executor.submit(os.getpid).result(), flush=True)\n"
        "    executor.submit(time.sleep, 600)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "main.py")
        path.write_text(script)
        parent = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        parent.kill()
        parent.communicate(timeout=60)
        deadline = time.monotonic() + 30
        while _is_alive(child) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _is_alive(child)


def _is_alive(process):
    """Whether it is there and no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_small_process_is_not_crowded():
    assert not execution.is_crowded()


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="this system does not tell the memory maps of a process"
)
def test_process_with_half_of_the_memory_maps_it_may_have_is_crowded(monkeypatch):
    monkeypatch.setattr(execution, "CROWDED", 1e-6)
    assert execution.is_crowded()


def test_number_of_workers_must_not_be_negative():
    with pytest.raises(DefinitionError, match=r"`workers` must not be negative\. Received: workers=-1"), machine(-1):
        pass


def test_there_is_at_least_one_core(monkeypatch):
    assert 1 <= available_cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert available_cores() == os.cpu_count()


OWN_OPTIMIZERS = """
import os
import keras

class Crashing(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        raise RuntimeError("planted")

class Deadly(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        os._exit(1)

class Picky(keras.optimizers.SGD):
    def __init__(self, **arguments):
        raise ValueError("`power` must be in (0, 1]. Received: power=1.5")
"""

SCRIPT = """
import json, sys
from regbench.errors import RegbenchError
from regbench.execution import machine
from regbench.records import RunSpec

def main():
    answers = []
    with machine(int(sys.argv[1])) as here:
        for batch in json.load(sys.stdin):
            try:
                results = here.compute([RunSpec.model_validate_json(spec) for spec in batch])
                answers.append([json.loads(result.model_dump_json()) for result in results])
            except RegbenchError as error:
                answers.append(f"{type(error).__name__}: {error}")
    print(json.dumps(answers))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def compute_elsewhere(tmp_path_factory):
    """Computes batches of specs in another process, or on its workers, always with the threads of one of two workers.

    Returns a function: number of workers, batches -> for each batch its results (JSON) in the order in which they
    came, or the text of the error that ended it.
    """
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_optimizers_of_this_test.py").write_text(OWN_OPTIMIZERS)
    (folder / "script.py").write_text(SCRIPT)
    threads = {"TF_NUM_INTRAOP_THREADS": str(max(1, available_cores() // 2)), "TF_NUM_INTEROP_THREADS": "1"}

    def compute(workers, batches):
        process = subprocess.run(
            [sys.executable, str(folder / "script.py"), str(workers)],
            input=json.dumps([[spec.model_dump_json() for spec in batch] for batch in batches]),
            env=os.environ | threads | {"PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return compute


@pytest.fixture(scope="module")
def good_specs(make_task):
    specs = [make_task("digits_mlp", "sgd", epochs=2).spec(RATE, seed) for seed in (42, 43)]
    return [*specs, make_task("digits_2c2d", "sgd", epochs=1).spec(RATE, 42), make_task(epochs=5).spec(RATE, 42)]


@pytest.fixture(scope="module")
def from_workers(compute_elsewhere, good_specs, make_task, make_candidate):
    """What two workers answer to batches of good, crashing, deadly and refused runs, by name."""

    def run_of(optimizer):
        return make_task(candidate=make_candidate(optimizer, learning_rate=0.01)).spec({}, 1)

    def bad(name):
        return run_of(f"own_optimizers_of_this_test:{name}")

    batches = {
        "good": good_specs,
        "crashing": [bad("Crashing"), *good_specs[:2]],
        "deadly": [good_specs[0], bad("Deadly"), *good_specs[1:]],
        "refused": [bad("Picky"), good_specs[0]],
        "unknown": [run_of("adm")],
        "afterwards": good_specs[-1:],
    }
    return dict(zip(batches, compute_elsewhere(2, batches.values()), strict=True))


def by_seed_and_problem(results):
    return {(result["spec"]["problem"]["name"], result["spec"]["seed"]): result for result in results}


def the_bad_one(results):
    (bad,) = (result for result in results if result["spec"]["candidate"] == "mine")
    return bad


@pytest.mark.slow
def test_workers_give_the_curves_of_this_process_with_as_many_threads(from_workers, compute_elsewhere, good_specs):
    (here,) = compute_elsewhere(0, [good_specs])
    there, here = by_seed_and_problem(from_workers["good"]), by_seed_and_problem(here)
    assert sorted(there) == sorted(here)
    assert len(here) == len(good_specs)
    for key, result in here.items():
        assert result["outcome"] == "completed"
        assert there[key]["curves"] == result["curves"]
        assert there[key]["environment"]["threads"] == result["environment"]["threads"]
        assert (there[key]["environment"]["concurrent_runs"], result["environment"]["concurrent_runs"]) == (2, 1)


@pytest.mark.slow
def test_crash_on_a_worker_is_the_outcome_of_its_run_alone(from_workers):
    results = from_workers["crashing"]
    assert the_bad_one(results)["outcome"] == "failed"
    assert the_bad_one(results)["reason"] == "RuntimeError: planted"
    assert sorted(result["outcome"] for result in results) == ["completed", "completed", "failed"]


@pytest.mark.slow
def test_run_that_kills_its_worker_fails_and_all_others_complete(from_workers, good_specs):
    results = from_workers["deadly"]
    assert the_bad_one(results)["outcome"] == "failed"
    assert the_bad_one(results)["reason"].startswith("KilledWorker: ")
    others = [result for result in results if result is not the_bad_one(results)]
    expected = by_seed_and_problem(from_workers["good"])
    assert by_seed_and_problem(others).keys() == expected.keys()
    for key, result in by_seed_and_problem(others).items():
        assert result["curves"] == expected[key]["curves"]


@pytest.mark.slow
def test_bad_input_that_shows_on_a_worker_is_told_as_such_and_leaves_the_workers_usable(from_workers):
    message = (
        "DefinitionError: optimizer: own_optimizers_of_this_test:Picky: `power` must be in (0, 1]. Received: power=1.5"
    )
    assert from_workers["refused"] == message
    assert from_workers["unknown"].startswith("DefinitionError: optimizer.name: There is no optimizer `adm`.")
    assert [result["outcome"] for result in from_workers["afterwards"]] == ["completed"]
