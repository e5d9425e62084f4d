"""Processes that compute one run after the other and are replaced in good time."""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from regbench.execution import child as children
from regbench.execution import in_process
from regbench.execution.child import Child, ProcessDiedError, is_crowded
from regbench.execution.in_process import InProcess

NEEDS_MAPS = pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="this system does not tell the memory maps of a process"
)


@pytest.fixture
def make_child():
    made = []

    def make(*arguments, **options):
        made.append(Child(*arguments, **options))
        return made[-1]

    yield make
    for child in made:
        child.end()


def test_calls_are_answered_by_one_process_that_is_not_this_one(make_child):
    child = make_child()
    first, second = child.call(os.getpid), child.call(os.getpid)
    assert first == second != os.getpid()
    assert child.call(divmod, 7, 2) == (3, 1)


def test_child_raises_what_the_function_raised_and_lives_on(make_child):
    child = make_child()
    process = child.call(os.getpid)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        child.call(os.stat, "/nowhere")
    assert child.call(os.getpid) == process


def test_child_has_variables_of_its_own(make_child):
    assert make_child({"OF_THIS_TEST": "x"}).call(os.getenv, "OF_THIS_TEST") == "x"
    assert os.getenv("OF_THIS_TEST") is None


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """A function that holds GiB of memory, and waits."""
    (tmp_path / "holding.py").write_text(
        "import time\n"
        "held = []\n"
        "def hold(gib, seconds=0):\n"
        "    held.append(bytearray(b'x') * int(gib * 2**30))\n"
        "    time.sleep(seconds)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("holding", None)
    return importlib.import_module("holding").hold


def test_child_finds_the_modules_of_this_process(make_child, tmp_path, monkeypatch):
    (tmp_path / "module_of_this_test.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import module_of_this_test

    assert make_child().call(module_of_this_test.double, 21) == 42


def test_answer_that_cannot_travel_is_an_error_that_says_so(make_child):
    with pytest.raises(TypeError, match="cannot pickle"):
        make_child().call(threading.Lock)


def test_death_is_noticed_although_a_process_of_the_child_lives_on(make_child, tmp_path, monkeypatch):
    (tmp_path / "forking.py").write_text(
        "import os, pathlib, time\n"
        "def fork_and_die(path):\n"
        "    left = os.fork()\n"
        "    if left == 0:\n"
        "        time.sleep(3600)\n"
        "        os._exit(0)\n"
        "    pathlib.Path(path).write_text(str(left))\n"
        "    os._exit(3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("forking", None)
    with pytest.raises(ProcessDiedError, match="exit code 3"):
        make_child().call(importlib.import_module("forking").fork_and_die, str(tmp_path / "left"))
    left = int((tmp_path / "left").read_text())
    assert _is_alive(left)
    os.kill(left, signal.SIGKILL)


def test_child_is_replaced_after_so_many_calls(make_child):
    child = make_child(most_calls=2)
    workers = [child.call(os.getpid) for _ in range(5)]
    first, second, third = dict.fromkeys(workers)
    assert workers == [first, first, second, second, third]


def test_child_that_is_almost_full_is_replaced_after_its_call(make_child, hold):
    child = make_child(memory_gib=0.5)
    first = child.call(os.getpid)
    child.call(hold, 0.42)  # of 0.5 GiB: over 80 %
    assert child.call(os.getpid) != first


def test_child_that_exceeds_its_memory_is_ended_in_its_call(make_child, hold):
    child = make_child(memory_gib=0.3)
    with pytest.raises(ProcessDiedError, match=r"its process held 0\.\d GiB of memory, of 0\.3 allowed"):
        child.call(hold, 0.6, 600)
    assert child.call(divmod, 7, 2) == (3, 1)


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [(os.abort, None, "its process was ended by SIGABRT"), (os._exit, 3, "its process ended with exit code 3")],
)
def test_death_of_a_child_is_told_and_the_next_call_has_another(function, argument, words, make_child):
    child = make_child()
    with pytest.raises(ProcessDiedError, match=words):
        child.call(function, *([] if argument is None else [argument]))
    assert child.call(os.getpid) != os.getpid()


@NEEDS_MAPS
def test_crowded_child_is_replaced(make_child, monkeypatch):
    child = make_child()
    first = child.call(os.getpid)
    monkeypatch.setattr(children, "CROWDED", 1e-6)
    for _ in range(9):
        last = child.call(os.getpid)
    assert last == first
    assert child.call(os.getpid) != first


def test_full_process_computes_in_a_child(monkeypatch):
    with InProcess() as executor:
        assert executor.submit(os.getpid).result() == os.getpid()
        monkeypatch.setattr(in_process, "is_crowded", lambda: True)
        assert executor.submit(os.getpid).result() != os.getpid()
        assert isinstance(executor.submit(os.abort).exception(), ProcessDiedError)
        assert executor.submit(os.getpid).result() != os.getpid()


def test_child_ends_when_its_parent_is_killed(tmp_path):
    path = tmp_path / "main.py"
    path.write_text(
        "import os, time\n"
        "from regbench.execution import Child\n"
        "child = Child()\n"
        "print(child.call(os.getpid), flush=True)\n"
        "child.call(time.sleep, 3600)\n"
    )
    parent = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate(timeout=1800)
    deadline = time.monotonic() + 1800
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
    assert not is_crowded()


@NEEDS_MAPS
def test_process_with_half_of_the_memory_maps_it_may_have_is_crowded(monkeypatch):
    monkeypatch.setattr(children, "CROWDED", 1e-6)
    assert is_crowded()
