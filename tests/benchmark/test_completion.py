"""Two searches on one results tree at the same time, and what happens to the tree meanwhile."""

import shutil
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from regbench.benchmark import completion, machine_speed
from regbench.errors import ResultsError
from regbench.execution import InProcess, Machine
from regbench.store import run_locks
from regbench.store.folder import Folder


class OtherProcess:
    """RunLocks as another process would: in place of locks, which one process does not take from itself."""

    def __init__(self):
        self.holds = set()
        self.lock = threading.Lock()

    def claims(self, name):
        shared = self

        class Of(run_locks.RunLocks):
            def take(self, digest):
                with shared.lock:
                    if digest in {held for holder, held in shared.holds if holder != name}:
                        return False
                    shared.holds.add((name, digest))
                    return True

            def release(self, digest):
                with shared.lock:
                    shared.holds.discard((name, digest))

        return Of


@pytest.fixture
def specs(make_task):
    return [make_task().spec({"optimizer.learning_rate": 0.01}, seed) for seed in range(1, 7)]


@pytest.fixture
def complete(tmp_path, make_result):
    """Completes specs in the tree; returns the seeds of what was computed and of what was found."""

    def do(specs, warn=None, before=lambda spec: None):
        computed, found = [], []

        def function(spec, _):
            before(spec)
            computed.append(spec.seed)
            return make_result(spec, valid_losses=1.0, test_losses=1.0)

        folder = Folder(tmp_path / "tree", warn)
        folder.check_writable()
        results = completion.complete(
            specs,
            folder,
            Machine(InProcess(), function=function),
            lambda result, was_found: found.append(result.spec.seed) if was_found else None,
        )
        assert [result.spec for result in results] == list(specs)
        return computed, found

    return do


def test_runs_that_another_process_writes_meanwhile_are_taken_from_the_tree(complete, specs, make_result, tmp_path):
    other = Folder(tmp_path / "tree")
    computed, found = complete(
        specs,
        before=lambda spec: (
            other.write(make_result(specs[4], valid_losses=1.0, test_losses=1.0)) if spec.seed == 2 else None
        ),
    )
    assert computed == [1, 2, 3, 4, 6]
    assert found == [5]


def test_run_that_another_process_computes_is_waited_for(complete, specs, make_result, tmp_path, monkeypatch):
    monkeypatch.setattr(completion, "_LOOKS_EVERY_SECONDS", 0.01)
    others = OtherProcess()
    monkeypatch.setattr(completion, "RunLocks", others.claims("mine"))
    theirs = others.claims("theirs")(tmp_path)
    theirs.take(specs[2].digest())
    said = []

    def warn(line):
        said.append(line)
        Folder(tmp_path / "tree").write(
            make_result(specs[2], valid_losses=1.0, test_losses=1.0)
        )  # they finish it while we wait
        theirs.release(specs[2].digest())

    assert complete(specs, warn) == ([1, 2, 4, 5, 6], [3])
    assert len(said) == 1
    assert said[0].endswith("another process computes runs of this search; waiting for them")


def test_run_that_another_process_gave_up_is_computed(complete, specs, tmp_path, monkeypatch):
    monkeypatch.setattr(completion, "_LOOKS_EVERY_SECONDS", 0.01)
    others = OtherProcess()
    monkeypatch.setattr(completion, "RunLocks", others.claims("mine"))
    theirs = others.claims("theirs")(tmp_path)
    theirs.take(specs[2].digest())
    assert complete(specs, lambda line: theirs.release(specs[2].digest())) == ([1, 2, 4, 5, 6, 3], [])


def test_run_that_failed_in_another_process_while_it_was_waited_for_is_not_tried_here(
    complete, specs, tmp_path, monkeypatch
):
    monkeypatch.setattr(completion, "_LOOKS_EVERY_SECONDS", 0.01)
    others = OtherProcess()
    monkeypatch.setattr(completion, "RunLocks", others.claims("mine"))
    theirs = others.claims("theirs")(tmp_path)
    theirs.take(specs[2].digest())

    def warn(line):
        Folder(tmp_path / "tree").record_failure(specs[2], "ValueError: planted")
        theirs.release(specs[2].digest())

    assert complete(specs, warn) == ([1, 2, 4, 5, 6], [3])


def test_tree_that_is_removed_meanwhile_is_made_again(complete, specs, tmp_path):
    complete(specs, before=lambda spec: shutil.rmtree(tmp_path / "tree") if spec.seed == 4 else None)
    assert sorted(run.spec.seed for run in Folder(tmp_path / "tree").runs()) == [4, 5, 6]
    assert complete(specs) == ([1, 2, 3], [4, 5, 6])


def test_folder_that_becomes_a_file_ends_the_search_with_one_line(complete, specs, tmp_path):
    def replace_by_a_file(spec):
        if spec.seed == 3:
            shutil.rmtree(tmp_path / "tree")
            (tmp_path / "tree").write_text("")

    with pytest.raises(ResultsError, match="the run cannot be written here"):
        complete(specs, before=replace_by_a_file)


def test_start_of_the_process_is_put_on_record_once(specs, complete, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    now = iter([100.0, 112.0, 200.0])  # the first run is there after 12 seconds, of which it took one
    monkeypatch.setattr(completion, "time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    complete(specs[:2], before=lambda spec: monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tf")))
    assert machine_speed.recorded().start_seconds == 11.0
    complete(specs)
    assert machine_speed.recorded().start_seconds == 11.0


def test_start_is_not_known_where_others_compute(specs, complete, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    complete(specs)
    assert machine_speed.recorded().start_seconds is None


def test_two_threads_of_one_process_compute_every_run_once(specs, complete):
    begun = threading.Barrier(2)
    waited = threading.local()

    def before(spec):
        if not hasattr(waited, "once"):  # so that both have begun before either is done
            waited.once = True
            begun.wait()

    with ThreadPoolExecutor(2) as pool:
        answers = [answer.result() for answer in [pool.submit(complete, specs, None, before) for _ in range(2)]]
    assert sorted(seed for computed, _ in answers for seed in computed) == [spec.seed for spec in specs]
