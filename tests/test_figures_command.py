"""`regbench figures`, as a user calls it."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace

import pytest

from regbench import figures
from regbench.cli import main
from regbench.figures import normalized_convex
from regbench.figures.plan import Size
from regbench.store.folder import Folder


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """Runs `regbench figures` in an empty working directory; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("REGBENCH_DATA", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(arguments):
        capfd.readouterr()
        code = main(["figures", *shlex.split(arguments)])
        return code, *capfd.readouterr()

    return run


def test_dry_run_tells_runs_and_time_and_what_is_left_out_and_writes_nothing(command, tmp_path):
    code, output, errors = command("all --quick --dry-run")
    assert (code, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    assert rows[0] == ["paper", "figure", "to", "train", "there", "time"]
    counts = {row[1]: row[2:4] for row in rows if row and row[0] in figures.PAPERS}
    assert counts["digits_2c2d"] == ["66", "0"]
    assert "mnist_deep_mlp" not in counts
    assert re.search(r"\n[0-9]+ runs to train, about [0-9]+:[0-9]{2}:[0-9]{2} on two cores\.", output)
    skipped = [line for line in output.splitlines() if line.startswith("skipped: ")]
    assert any("normalized/mnist_deep_mlp" in line and "regbench data fetch mnist" in line for line in skipped)
    assert any("skreg/silhouettes_gain" in line and "bring your own" in line for line in skipped)
    assert not list(tmp_path.iterdir())


def test_dry_run_loads_no_tensorflow():
    code = "import sys; from regbench.cli import main; main(['figures', 'all', '--dry-run'])\n"
    code += "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("normalised", "There is no paper `normalised`. Did you mean `normalized`?"),
        ("normalized --quick --full", "--quick and --full exclude each other"),
        ("", "Missing argument 'PAPER|all'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, message, command):
    code, output, errors = command(arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_folder_that_cannot_be_written_is_found_out_before_anything_is_trained(one_figure, command, tmp_path):
    (tmp_path / "file").touch()
    trees = tmp_path / "trees"
    code, _, errors = command(f"normalized --quick --output {tmp_path / 'file'} --results {trees}")
    assert code == 2
    assert "file/quick: the figures cannot be written here: Not a directory" in errors.splitlines()[-1]
    assert not trees.exists()


@pytest.fixture
def one_figure(monkeypatch):
    """In place of all papers one figure of two trainings."""
    makers = {"NSGD": lambda rate: normalized_convex.nsgd("l2", rate)}
    monkeypatch.setattr(normalized_convex, "OPTIMIZERS", makers)
    monkeypatch.setattr(normalized_convex, "RATES", (0.05, 0.1))
    monkeypatch.setitem(normalized_convex.SEEDS, Size.QUICK, 1)
    monkeypatch.setattr(figures, "PAPERS", {"normalized": "one figure"})
    monkeypatch.setattr(figures, "of_paper", lambda paper, size, trees: [normalized_convex._rates(size)])


def test_figure_is_trained_drawn_and_made_again_from_what_is_there(one_figure, command, tmp_path):
    code, output, errors = command("all --quick --results runs --output drawn")
    assert code == 0
    assert output.splitlines()[-1] == "drawn/quick/normalized/convex_rates.png"
    assert "convex_rates: 1 of 2 runs (nsgd_l2 on convex_quadratic, seed 42), about 0:0" in errors
    assert "convex_rates: 2 of 2 runs" in errors
    folder = tmp_path / "drawn" / "quick" / "normalized"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(first) == {f"convex_rates.{ending}" for ending in ("png", "svg", "pdf", "csv", "txt")}
    assert b"regbench figures all --quick" in first["convex_rates.txt"]
    assert len(list(Folder(tmp_path / "runs").runs())) == 2

    code, output, errors = command("all --quick --results runs --output drawn")
    assert (code, errors) == (0, "")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first

    (lost,) = (tmp_path / "runs").rglob("*1.e-01*/*.json")
    lost.unlink()
    code, output, errors = command("all --quick --results runs --output drawn")
    assert (code, errors.count(" runs (")) == (0, 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_figure_that_cannot_be_made_is_told_and_the_others_are_made(one_figure, command, monkeypatch, tmp_path):
    good = normalized_convex._rates(Size.QUICK)
    bad_runs = [replace(run, epochs=0, batch_size=101) for run in good.runs(lambda run: None)]
    bad = replace(good, name="bad", runs=lambda find: bad_runs)
    monkeypatch.setattr(figures, "of_paper", lambda *_: [bad, good])
    code, output, errors = command("normalized --quick")
    assert code == 1
    assert "error: normalized/bad: nsgd_l2 on convex_quadratic: `batch_size` must be at most 100" in errors
    assert output.splitlines()[-1] == "figures/quick/normalized/convex_rates.png"
