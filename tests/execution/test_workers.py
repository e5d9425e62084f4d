"""Workers: their curves, and that whatever goes wrong in a run stays its own affair."""

import json
import os
import subprocess
import sys

import pytest

from regbench.engine.cores import available_cores
from regbench.errors import DefinitionError
from regbench.execution import Workers, cluster, machine
from regbench.execution.workers import own_gpu, visible_gpus

RATE = {"optimizer.learning_rate": 0.01}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": -1}, r"`workers` must not be negative\. Received: workers=-1"),
        ({"count": 2, "cluster": "tcp://a:1"}, "`workers` and `cluster` exclude each other"),
        ({"count": 2, "threads": 0}, r"`worker_threads` must be at least 1\. Received: worker_threads=0"),
        ({"runs": 0}, r"`worker_runs` must be at least 1\. Received: worker_runs=0"),
        ({"count": 1, "memory_gib": 0.0}, r"`worker_memory` must be positive\. Received: worker_memory=0"),
        ({"count": 1, "memory_gib": float("nan")}, "`worker_memory` must be positive"),
        ({"threads": 1}, "`worker_threads` and `worker_memory` need `workers` or `cluster`"),
    ],
)
def test_workers_that_do_not_hold_together_are_refused(given, message):
    with pytest.raises(DefinitionError, match=message):
        Workers(**given)


def test_number_of_workers_must_not_be_negative():
    with pytest.raises(DefinitionError, match=r"`workers` must not be negative\. Received: workers=-1"), machine(-1):
        pass


def test_address_without_scheduler_is_refused(monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.1)  # nobody comes, however long one waits
    with (
        pytest.raises(DefinitionError, match=r"--cluster: there must be a Dask scheduler at this address\..*nowhere"),
        machine(Workers(cluster="tcp://nowhere.invalid:8786")),
    ):
        pass


@pytest.mark.parametrize(
    ("worker", "gpus", "gpu"),
    [
        ("0", ["0", "1"], "0"),
        ("3", ["0", "1"], "1"),
        ("node-2", ["4", "5", "6"], "6"),
        ("0", ["0"], None),
        ("1", [], None),
        ("tcp://10.0.0.1:4000", ["0", "1"], None),
    ],
)
def test_workers_take_the_gpus_in_turn(worker, gpus, gpu):
    assert own_gpu(worker, gpus) == gpu


def test_gpus_that_may_be_used_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc")
    assert visible_gpus() == ["2", "GPU-abc"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_gpus_without_that_variable_are_counted_from_0(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert visible_gpus(tmp_path) == ["0", "1"]


def test_workers_that_cannot_be_started_are_told_in_one_line(monkeypatch):
    import distributed

    def refuse(**_):
        raise RuntimeError("Cluster failed to start")

    monkeypatch.setattr(distributed, "LocalCluster", refuse)
    with pytest.raises(DefinitionError, match="--workers: 2 processes cannot be started here: Cluster"), machine(2):
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
    with machine(int(sys.argv[1]), retries=0) as here:
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
            timeout=3600,
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
    assert the_bad_one(results)["reason"].startswith("ProcessDiedError: its process ended with exit code 1")
    others = [result for result in results if result is not the_bad_one(results)]
    expected = by_seed_and_problem(from_workers["good"])
    assert by_seed_and_problem(others).keys() == expected.keys()
    for key, result in by_seed_and_problem(others).items():
        assert result["curves"] == expected[key]["curves"]


@pytest.mark.slow
def test_bad_input_that_shows_on_a_worker_is_told_as_such_and_leaves_the_workers_usable(from_workers):
    message = (
        "DefinitionError: mine on quadratic_deep: optimizer: own_optimizers_of_this_test:Picky: "
        "`power` must be in (0, 1]. Received: power=1.5"
    )
    assert from_workers["refused"] == message
    assert from_workers["unknown"].startswith(
        "DefinitionError: mine on quadratic_deep: optimizer.name: There is no optimizer `adm`."
    )
    assert [result["outcome"] for result in from_workers["afterwards"]] == ["completed"]
