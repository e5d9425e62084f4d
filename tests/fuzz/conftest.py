"""Bounds on memory, and a count of the inputs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .inputs import ASKED_FOR, REFUSED, TAKEN

MOST_MEMORY = 2**30  # bytes more than before; what the tests remember and the libraries they load are among them
MEMORY: dict[str, int] = {}
_started = time.monotonic()


@pytest.fixture(scope="module", autouse=True)
def bounded_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """No input makes its reader take much memory, whatever sizes it claims."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        yield  # the peak can be measured on Linux only
        return
    reset.write_text("5")  # the peak is what is used now
    before = _kibibytes(status, "VmRSS")
    yield
    more = 1024 * (_kibibytes(status, "VmHWM") - before)
    MEMORY[request.path.stem] = more
    assert more < MOST_MEMORY


@pytest.fixture(scope="module", autouse=True)
def empty_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The working directory holds no files of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("working_directory"))
        yield


def _kibibytes(status: Path, key: str) -> int:
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many inputs each reader had, where it was asked for many."""
    if ASKED_FOR is None:
        return
    terminalreporter.section("inputs")
    for reader in sorted(TAKEN | REFUSED):
        counts = f"{TAKEN[reader] + REFUSED[reader]:>8} {TAKEN[reader]:>8} read {REFUSED[reader]:>8} refused"
        terminalreporter.write_line(f"{reader:<28} {counts}")
    for module, more in MEMORY.items():
        terminalreporter.write_line(f"{module}: {more / 2**20:.0f} MiB more at most")
    total = TAKEN.total() + REFUSED.total()
    terminalreporter.write_line(f"{total} inputs in {time.monotonic() - _started:.0f} s")
