"""The genuine deepobs in one process of its own for all tests: loading it takes seconds, most answers take a moment."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ANSWERING = """
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
import deepobs_reference
for line in sys.stdin:
    printed, refusal = io.StringIO(), ""
    sys.argv[1:] = json.loads(line)
    try:
        with contextlib.redirect_stdout(printed):
            options = deepobs_reference.parse_options()
            options.action(options)
    except SystemExit as error:
        refusal = str(error)
    print(json.dumps([printed.getvalue(), refusal]), flush=True)
"""


@pytest.fixture(scope="session")
def ask() -> Iterator[Callable[..., str]]:
    """Returns a function that gives the harness a command line, but for `run`, which changes its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", ANSWERING, str(SCRIPTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def get(*arguments: object) -> str:
        assert arguments[0] != "run"
        process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"its process ended with exit code {process.wait()}"
        printed, refusal = json.loads(line)
        assert not refusal, refusal
        return printed

    with process:
        yield get
        process.stdin.close()
