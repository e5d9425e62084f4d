"""Train with the genuine deepobs 1.1.2, in a process of its own (see `deepobs_reference.py`)."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).with_name("deepobs_reference.py")


def train(problem: str, data_dir: str | None, **options: str | float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the genuine StandardRunner once; options as on the command line of `deepobs_reference.py run`.

    Returns:
        What its JSON file holds, and the seconds it took.
    """
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, str(REFERENCE), "run", problem, "--data-dir", data_dir or output]
        command += ["--output-dir", output]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"deepobs failed; is it installed (scripts/install deepobs)?\n{done.stderr[-2000:]}")
        (file,) = Path(output).rglob("*.json")
        return json.loads(file.read_text()), json.loads(done.stdout)
