"""Workers of a Dask scheduler that runs apart: what they compute, and what happens when they or it are gone."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from regbench.errors import ClusterError, DefinitionError
from regbench.execution import Child, Conditions, Workers, compute, machine
from regbench.execution.cluster import ROUND
from regbench.records import Outcome

pytestmark = pytest.mark.slow

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@pytest.fixture
def dask(tmp_path):
    """Starts a scheduler or workers of it; ends them with the test."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", *arguments, "--no-dashboard"]
        environment = os.environ | ONE_THREAD
        processes.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        return processes[-1]

    def is_listening():
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", int(port))) == 0

    class Dask:
        address = f"tcp://127.0.0.1:{port}"

        @staticmethod
        def scheduler():
            scheduler = start("distributed.cli.dask_scheduler", "--port", port)
            wait_until(is_listening)
            return scheduler

        @classmethod
        def worker(cls, *arguments):
            return start(
                "distributed.cli.dask_worker", cls.address, "--nthreads", "1", "--memory-limit", "0", *arguments
            )

    yield Dask
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def specs(make_task):
    return [make_task("digits_mlp", "sgd", epochs=2).spec({"optimizer.learning_rate": 0.01}, seed) for seed in range(4)]


def test_worker_computes_what_this_process_does_and_ends_what_it_holds_when_the_driver_leaves(dask, specs):
    """Also where the process of a run was killed, and the run was computed again."""
    dask.scheduler()
    worker = dask.worker()
    with machine(Workers(cluster=dask.address, threads=1)) as there:
        assert there.capacity == ROUND
        results = []
        for result in there.compute(specs):
            for child in children(worker) if not results else []:
                child.kill()
            results.append(result)
        assert children(worker)
    wait_until(lambda: not children(worker))
    assert [result.outcome for result in results] == [Outcome.COMPLETED] * 4
    one_thread = Child(ONE_THREAD)
    for result in results:
        assert result.curves == one_thread.call(compute, result.spec, Conditions()).curves
    one_thread.end()


def wait_until(condition):
    deadline = time.monotonic() + 1800
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(worker):
    """The processes in which its runs are computed."""
    found = []
    for process in psutil.Process(worker.pid).children(recursive=True):
        try:
            found += [process] if "regbench.execution.child" in " ".join(process.cmdline()) else []
        except psutil.Error:
            continue
    return found


def test_first_worker_is_waited_for(dask, specs):
    dask.scheduler()
    said = []

    def say(line):
        said.append(line)
        dask.worker()

    with machine(Workers(cluster=dask.address, threads=1), warn=say) as there:
        assert [result.outcome for result in there.compute(specs[:1])] == [Outcome.COMPLETED]
    assert said == [f"no worker of {dask.address} is there yet; waiting for the first"]


def test_death_of_the_scheduler_ends_the_search_and_what_was_finished_is_there(dask, specs):
    scheduler = dask.scheduler()
    dask.worker("--no-nanny")
    results = []

    def compute():
        with machine(Workers(cluster=dask.address, threads=1)) as there:
            for result in there.compute(specs):
                results.append(result)
                scheduler.kill()

    with pytest.raises(ClusterError, match="scheduler"):
        compute()
    assert results


def test_worker_of_another_version_is_refused(dask, tmp_path, monkeypatch):
    dask.scheduler()
    other = tmp_path / "other" / "regbench-99.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: regbench\nVersion: 99\n")
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    dask.worker()
    with (
        pytest.raises(DefinitionError, match=r"--cluster: the versions on tcp://.* must be .*Received: .*'99'"),
        machine(Workers(cluster=dask.address, threads=1)),
    ):
        pass


def test_own_class_is_found_where_the_worker_was_started(dask, tmp_path, make_task, make_candidate):
    Path(tmp_path, "own_module_of_this_test.py").write_text(
        "import keras\n\nclass Own(keras.optimizers.SGD):\n    pass\n"
    )
    dask.scheduler()
    dask.worker()
    candidate = make_candidate("own_module_of_this_test:Own", learning_rate=0.01)
    spec = make_task("digits_mlp", candidate, epochs=1).spec({}, 1)
    with machine(Workers(cluster=dask.address, threads=1)) as there:
        assert [result.outcome for result in there.compute([spec])] == [Outcome.COMPLETED]


@pytest.fixture
def shared():
    """A cluster of one worker process that others use too, and a client of theirs."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield cluster, client


def test_interruption_does_not_wait_for_runs_that_wait_behind_those_of_others(shared, specs):
    cluster, client = shared
    theirs = client.submit(time.sleep, 3600)
    with pytest.raises(KeyboardInterrupt), machine(Workers(cluster=cluster.scheduler_address), finish=True) as there:  # noqa: PT012
        threading.Timer(1.0, there.interruptions._interrupt, (signal.SIGINT, None)).start()
        list(there.compute(specs))
    wait_until(lambda: list(cluster.scheduler.tasks) == [theirs.key])


def test_interruption_that_stops_at_once_leaves_nothing_on_the_workers_of_others(shared, make_task):
    cluster, client = shared
    task = make_task("digits_mlp", "sgd", epochs=1_000_000)
    specs = [task.spec({"optimizer.learning_rate": 0.01}, seed) for seed in range(3)]
    pid = next(iter(client.run(os.getpid).values()))
    with pytest.raises(KeyboardInterrupt), machine(Workers(cluster=cluster.scheduler_address)) as there:  # noqa: PT012
        threading.Thread(target=stop_when, args=(lambda: there.begun(), there.interruptions)).start()
        next(there.compute(specs))
    wait_until(lambda: not cluster.scheduler.tasks)
    wait_until(lambda: not children(psutil.Process(pid)))


def stop_when(condition, interruptions):
    wait_until(condition)
    interruptions.stop = KeyboardInterrupt()
