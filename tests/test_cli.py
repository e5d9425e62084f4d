"""The commands as a user calls them: what they print, where, and their exit codes."""

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from regbench import __version__, catalog
from regbench.benchmark import Event
from regbench.cli import inventory, main, progress, terminal, values
from regbench.errors import DefinitionError
from regbench.records import Outcome
from regbench.tuning import tune

HEAD = 'summary = "of this test"\nsource = "this test"\n'
OWN_OPTIMIZER = """
import keras

class MyOptimizer(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.01, **kwargs):
        super().__init__(learning_rate, **kwargs)
        print("own optimizer here")
"""
FAILING_OPTIMIZER = """
import keras

class MyOptimizer(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        raise RuntimeError("no step today")
"""
WAITING_OPTIMIZER = """
import time
from pathlib import Path
import keras

class MyOptimizer(keras.optimizers.SGD):
    def build(self, variables):
        while len(list(Path("results").rglob("*.json"))) >= 2 and not Path("go on").exists():
            Path("waiting").touch()
            time.sleep(0.01)
        print("own optimizer here")
        super().build(variables)
"""
QUICK = "--epochs 1 --budget 2 --reruns 1"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A working directory, which does not stay on the module path; no data and no colours from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("REGBENCH_DATA", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def regbench(workspace, capfd):
    """Runs a command in this process; gives exit code, stdout and stderr."""

    def run(command):
        capfd.readouterr()
        code = main(shlex.split(command))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def stderr_terminal(monkeypatch):
    """What is shown on stderr, which is taken for a terminal of 100 columns."""
    shown = io.StringIO()
    on_terminal = Console(file=shown, force_terminal=True, width=100, markup=False, highlight=False, _environ={})
    plain = terminal.console
    monkeypatch.setattr(terminal, "console", lambda stderr=False: on_terminal if stderr else plain())
    return shown


def write_own_optimizer(module, code):
    Path(f"{module}.py").write_text(code)
    Path("search_spaces").mkdir(exist_ok=True)
    text = f'{HEAD}[optimizer]\nname = "{module}:MyOptimizer"\n'
    Path("search_spaces/mine.toml").write_text(text + "learning_rate = { low = 0.01, high = 0.1, default = 0.05 }\n")


def start(command, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "regbench", *shlex.split(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that an interruption can go to all its processes, as that of a terminal does
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
        **options,
    )


def result_files(folder="results"):
    return sorted(Path(folder).rglob("*.json"))


# help, list, show


def test_commands_that_only_tell_load_nothing_heavy(workspace):
    program = """
import contextlib, io, sys
from regbench.cli import main
for command in (["--help"], ["--version"], ["run", "--help"], ["list"], ["list", "--format", "json"], ["show", "adamw"],
                ["show", "mnist", "--format", "json"], ["data", "status"]):
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(command) == 0, command
print(sorted({"tensorflow", "keras", "optuna", "pandas", "matplotlib", "numpy", "dask", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_weights_of_a_network_are_shown_with_what_they_are_and_which_decay(regbench):
    code, output, errors = regbench("show digits_mlp --weights")
    assert (code, errors) == (0, "")
    assert [line.split() for line in output.splitlines()[1:3]] == [
        ["dense_1/kernel", "[64,", "64]", "4096", "kernel", "decays"],
        ["dense_1/bias", "[64]", "64", "bias"],
    ]
    code, output, _ = regbench("show digits_mlp --weights --format json")
    assert json.loads(output)[-1] == {
        "weight": "logits/bias",
        "shape": [10],
        "size": 10,
        "role": "bias",
        "decays": False,
    }
    code, _, errors = regbench("show adam --weights")
    assert code == 2
    assert "There is no problem `adam`" in errors


def test_help_names_every_command_and_what_exit_codes_mean(regbench):
    code, output, errors = regbench("--help")
    assert (code, errors) == (0, "")
    assert all(f"  {command} " in output for command in ("data", "list", "run", "search", "searches", "show"))
    assert all(
        meaning in " ".join(output.split()) for meaning in ("0 done", "1 some runs failed", "2 bad input", "130")
    )
    assert regbench("") == (0, output, "")
    assert regbench("-h") == (0, output, "")


def test_help_of_search_names_all_choices(regbench):
    output = " ".join(regbench("search --help")[1].split())
    for choices in (catalog.BUDGETS, tune.samplers(), catalog.SCHEDULES, catalog.PROTOCOLS):
        assert all(choice in output for choice in choices)


def test_version_is_that_of_the_package(regbench):
    assert regbench("--version") == (0, f"regbench {__version__}\n", "")


def test_list_shows_names_and_summaries_of_everything(regbench):
    code, output, errors = regbench("list")
    assert (code, errors) == (0, "")
    entries = {tuple(re.split("  +", line.strip(), maxsplit=1)) for line in output.splitlines() if line.strip()}
    for kind in inventory.KINDS.values():
        assert {(name, kind.describe(name)["summary"]) for name in kind.names()} <= entries


def test_list_of_one_kind_is_that_kind_only(regbench):
    whole = json.loads(regbench("list --format json")[1])
    assert list(whole) == ["problems", "candidates", "datasets", "budgets", "protocols"]
    for kind in whole:
        assert json.loads(regbench(f"list {kind} --format json")[1]) == {kind: whole[kind]}
    assert {"name": "medium", "summary": "50 trials"} in whole["budgets"]


def test_files_of_the_working_directory_are_listed_and_shown(regbench):
    write_own_optimizer("cli_shown_a", OWN_OPTIMIZER)
    assert {"name": "mine", "summary": "of this test"} in json.loads(regbench("list candidates --format json")[1])[
        "candidates"
    ]
    code, output, _ = regbench("show mine")
    assert code == 0
    assert output.startswith(f"# candidate mine: {Path('search_spaces/mine.toml')}\n")
    assert "learning_rate = { low = 0.01, high = 0.1, default = 0.05 }" in output


@pytest.mark.parametrize("folder", ["testproblems", "search_spaces"])
def test_what_is_shown_has_every_key_and_is_a_file_of_the_same_meaning(folder, regbench):
    names, read = {
        "testproblems": (catalog.problem_names(), catalog.problem),
        "search_spaces": (catalog.candidate_names(), catalog.candidate),
    }[folder]
    Path(folder).mkdir()
    for name in names:
        text = regbench(f"show {name}")[1]
        assert tomllib.loads(text).keys() >= tomllib.loads(catalog.find_files(folder)[name].read_text()).keys()
        Path(folder, f"copy_of_{name}.toml").write_text(text)
        assert read(f"copy_of_{name}").model_copy(update={"name": name}) == read(name)


def test_show_tells_every_key_of_data_sets_budgets_and_protocols(regbench):
    shown = json.loads(regbench("show mnist --format json")[1])["dataset"]
    assert (shown["input_shape"], shown["train_size"], len(shown["files"])) == ([28, 28, 1], 60_000, 4)
    assert shown["files"][0]["download"]["urls"]
    assert tomllib.loads(regbench("show mnist")[1])["files"] == shown["files"]
    assert json.loads(regbench("show large --format json")[1])["budget"]["trials"] == 75
    assert json.loads(regbench("show strict --format json")[1]) == {"protocol": catalog.protocol("strict").model_dump()}


def test_name_of_two_kinds_is_shown_as_both(regbench):
    write_own_optimizer("cli_shown_b", OWN_OPTIMIZER)
    Path("search_spaces/mine.toml").rename("search_spaces/small.toml")
    assert list(json.loads(regbench("show small --format json")[1])) == ["candidate", "budget"]
    output = regbench("show small")[1]
    assert "# candidate small" in output
    assert "# budget small" in output
    assert "trials = 25" in output


# options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.01", 0.01),
        (".01", 0.01),
        ("1e-3", 1e-3),
        ("-1", -1),
        ("3", 3),
        ("true", True),
        ("false", False),
        ("decoupled", "decoupled"),
        ("my_module:Class", "my_module:Class"),
        ('"two words"', "two words"),
        ("'3'", "3"),
        (" 5 ", 5),
        ("a=b", None),
        ("[1, 2]", None),
        ("{ a = 1 }", None),
        ("1979-05-27", None),
        ("1 # one", 1),
        ("1\nother = 2", None),
    ],
)
def test_values_of_a_setting_are_toml_or_words(text, value):
    if value is None:
        with pytest.raises(
            DefinitionError, match=r"^--set: `key` must be a number, true, false or a string\. Received: "
        ):
            values.read_setting([f"key={text}"])
    else:
        read = values.read_setting([f"key={text}"])["key"]
        assert (read, type(read)) == (value, type(value))


# run


def test_run_prints_a_summary_and_finds_the_run_the_second_time(regbench):
    command = "run digits_mlp sgd --epochs 2 --set optimizer.learning_rate=.1 --seed 7"
    code, output, errors = regbench(command)
    assert (code, errors) == (0, "")
    [path] = result_files()
    assert output.splitlines()[0] == "digits_mlp with sgd: completed"
    assert "seed 7, protocol deepobs, epochs 2, batch size 64, schedule none" in output
    assert "learning_rate 0.1" in output
    assert output.splitlines()[-1] == str(path)
    assert "not run again" not in output
    code, again, errors = regbench(command)
    assert (code, errors) == (0, "")
    assert "found in the results and not run again" in again
    assert result_files() == [path]


def test_json_of_a_run_says_what_was_run_and_what_came(regbench):
    options = "--schedule step --lr-epochs 1 --lr-factors 0.1 --protocol strict --batch-size 100 --max-seconds 1000"
    code, output, errors = regbench(f"run digits_mlp adam --epochs 2 {options} --format json")
    assert (code, errors) == (0, "")
    run = json.loads(output)
    stored = json.loads(Path(run["path"]).read_text())
    assert (run["problem"], run["candidate"], run["protocol"], run["seed"]) == ("digits_mlp", "adam", "strict", 42)
    assert (run["epochs"], run["batch_size"]) == (2, 100)
    assert run["schedule"] == {"name": "step", "epochs": [1], "factors": [0.1]}
    assert run["setting"] == {"optimizer.learning_rate": 0.001, "optimizer.beta_1": 0.9, "optimizer.beta_2": 0.999}
    assert (run["outcome"], run["reason"], run["diverged_epoch"], run["was_found"]) == ("completed", "", None, False)
    for split in ("train", "valid", "test"):
        assert run["final"][split]["loss"] == stored[f"{split}_losses"][-1]
        assert run["final"][split]["accuracy"] == stored[f"{split}_accuracies"][-1]
        assert (
            run["final"][split]["loss_without_penalty"]
            == stored["regbench"]["losses_without_penalty"][f"{split}_losses"][-1]
        )
    assert run["timings"] == stored["regbench"]["timings"]


def test_diverged_run_is_a_result_that_says_so(regbench):
    command = "run digits_mlp sgd --epochs 2 --set optimizer.learning_rate=1e9"
    code, output, errors = regbench(command)
    assert (code, errors) == (0, "")
    assert output.startswith("digits_mlp with sgd: diverged: ")
    assert "values before training" in output
    run = json.loads(regbench(f"{command} --format json")[1])
    assert (run["outcome"], run["diverged_epoch"]) == ("diverged", 1)


def test_run_that_takes_too_long_ends_with_code_1(regbench):
    code, output, _ = regbench("run digits_mlp sgd --epochs 3 --max-seconds 1e-9")
    assert code == 1
    assert output.startswith("digits_mlp with sgd: timed out: took longer than 1e-09 seconds")


def test_run_that_crashes_ends_with_code_1_and_leaves_a_note(regbench):
    write_own_optimizer("cli_failing_a", FAILING_OPTIMIZER)
    code, output, errors = regbench("run digits_mlp mine --epochs 1 --format json")
    run = json.loads(output)
    assert (code, run["outcome"], run["final"], errors) == (1, "failed", {}, "")
    assert run["reason"].startswith("RuntimeError")
    assert "no step today" in Path(run["path"]).read_text()
    assert Path(run["path"]).suffix == ".failed"
    assert regbench("run digits_mlp mine --epochs 1")[1].startswith("digits_mlp with mine: failed: RuntimeError")


# search


def test_search_ends_with_a_ranking_and_runs_nothing_again(regbench):
    command = f"search digits_mlp sgd adam {QUICK}"
    code, output, errors = regbench(command)
    assert code == 0
    heading, *rows, empty, note = output.splitlines()
    assert heading.split("  ")[0] == "#"
    columns = ("candidate", "coupling", "best setting", "valid accuracy", "test accuracy", "diverged", "seconds")
    assert all(column in heading for column in columns)
    assert [row.split()[:3] for row in rows] == [["1", "adam", "none"], ["2", "sgd", "none"]]
    assert all(row.count(" +- ") == 2 and " 0/2 " in row for row in rows)
    assert (empty, note.startswith("Mean +- standard deviation over 2 seeds")) == ("", True)
    # Where stderr is no terminal, a line says every tenth and every end of a phase how far it is.
    lines = errors.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"regbench: {candidate}: {phase}"
        for candidate in ("sgd", "adam")
        for phase in ("trials 1/2", "trials 2/2", "re-runs 1/1")
    ]
    assert all("best accuracy 0." in line for line in lines)
    assert "left" in lines[-1]

    files = {path: path.read_bytes() for path in result_files()}
    assert len(files) == 6
    code, again, errors = regbench(command)
    assert (code, again) == (0, output)
    assert "regbench: adam: trials 2/2 (2 in the results already)" in errors
    assert {path: path.read_bytes() for path in result_files()} == files

    code, as_json, _ = regbench(f"{command} --format json")
    rows = json.loads(as_json)
    assert [(row["rank"], row["candidate"], row["seeds"]) for row in rows] == [
        (1, "adam", [42, 43]),
        (2, "sgd", [42, 43]),
    ]
    assert {"setting", "valid_mean", "valid_sd", "test_mean", "test_sd", "diverged_trials", "seconds"} <= rows[0].keys()
    assert rows[0]["test_mean"] > rows[1]["test_mean"]

    lines = list(csv.DictReader(io.StringIO(regbench(f"{command} --format csv")[1])))
    assert [list(line) for line in lines] == [list(row) for row in rows]
    assert [json.loads(line["setting"]) for line in lines] == [row["setting"] for row in rows]
    assert [float(line["test_mean"]) for line in lines] == [row["test_mean"] for row in rows]


def test_search_over_diverging_trials_ends_well_without_a_winner(regbench):
    Path("search_spaces").mkdir()
    text = f'{HEAD}[optimizer]\nname = "sgd"\nlearning_rate = {{ low = 1e8, high = 1e9, default = 1e8 }}\n'
    Path("search_spaces/wild.toml").write_text(text)
    code, output, _ = regbench(f"search digits_mlp wild sgd {QUICK}")
    assert code == 0
    sgd, wild = output.splitlines()[1:3]
    assert sgd.split()[1] == "sgd"
    assert wild.split()[:2] == ["2", "wild"]
    assert "no trial completed" in wild
    assert "2/2" in wild
    row = json.loads(regbench(f"search digits_mlp wild sgd {QUICK} --format json")[1])[1]
    assert (row["setting"], row["test_mean"], row["seeds"], row["diverged_trials"]) == (None, None, [], 2)


def test_search_with_crashing_runs_goes_on_and_ends_with_code_1(regbench):
    write_own_optimizer("cli_failing_b", FAILING_OPTIMIZER)
    code, output, errors = regbench(f"search digits_mlp mine sgd {QUICK}")
    assert code == 1
    assert [line.split()[1] for line in output.splitlines()[1:3]] == ["sgd", "mine"]
    assert "mine: 2 runs failed or timed out." in output
    warnings = [line for line in errors.splitlines() if "warning" in line]
    assert len(warnings) == 1  # both runs failed for the same reason
    assert warnings[0].startswith("regbench: warning: mine: a run failed: RuntimeError")


def test_only_results_go_to_stdout(regbench):
    write_own_optimizer("cli_talking", OWN_OPTIMIZER)
    code, output, errors = regbench(f"search digits_mlp mine {QUICK} --format json")
    assert code == 0
    assert json.loads(output)[0]["candidate"] == "mine"
    assert "own optimizer here" in errors


# progress


@pytest.fixture
def event(make_task, make_result):
    """One more run, with a final accuracy on the validation split."""

    def make(candidate, phase, done, total, accuracy=0.5, was_found=False, outcome=Outcome.COMPLETED, reason=""):
        result = make_result(
            make_task("digits_mlp").spec({"optimizer.learning_rate": 0.1}, 42), outcome, valid_accuracies=accuracy
        )
        return Event(candidate, phase, done, total, result.model_copy(update={"reason": reason}), was_found)

    return make


def test_time_left_is_that_of_the_runs_still_to_come(event, monkeypatch, workspace, capfd):
    now = iter([100.0, 102.0, 104.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    watching = progress.SearchBars(["a", "b"], trials=3, reruns=2)
    watching(event("a", "trials", 1, 3))
    # The first run may have loaded and compiled: its end starts the clock. Then 2 s for one run, and 8 are to come:
    # 1 trial and 2 re-runs of a, 5 runs of b.
    watching(event("a", "trials", 2, 3))
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "regbench: a: trials 1/3, best accuracy 0.5",
        "regbench: a: trials 2/3, best accuracy 0.5, 0:00:16 left",
    ]


def test_lines_are_few_and_name_the_best_completed_trial_and_each_failure_once(event, workspace, capfd):
    watching = progress.SearchBars(["a"], trials=50, reruns=0)
    for done in range(1, 51):
        outcome = {3: Outcome.FAILED, 4: Outcome.FAILED, 5: Outcome.DIVERGED}.get(done, Outcome.COMPLETED)
        reason = "ValueError: x" if outcome == Outcome.FAILED else ""
        watching(
            event("a", "trials", done, 50, accuracy=0.9 - done / 100, outcome=outcome, reason=reason, was_found=True)
        )
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "regbench: warning: a: a run failed: ValueError: x"
    assert lines[1:] == [
        f"regbench: a: trials {done}/50 ({done} in the results already), best accuracy 0.89" for done in range(5, 51, 5)
    ]


def test_terminal_shows_a_bar_and_no_lines(event, stderr_terminal):
    with progress.SearchBars(["a", "b"], trials=2, reruns=1) as watching:
        watching(event("a", "trials", 1, 2, accuracy=0.25))
        watching(event("a", "trials", 2, 2, accuracy=0.75))
        watching.warn("of this test")
        watching(event("a", "re-runs", 1, 1))
    shown = stderr_terminal.getvalue()
    assert "regbench: warning: of this test" in shown
    assert "regbench: a: trials" not in shown
    assert "a: re-runs 1/1, best accuracy 0.75" in shown
    assert " 50 %" in shown


def test_downloads_are_told_by_tenths(workspace, capfd):
    with progress.Downloads() as downloads:
        for present in range(0, 2_000_001, 50_000):
            downloads("file.gz", present, 2_000_000)
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"regbench: file.gz: {tenth}0 % of 2.0 MB" for tenth in range(1, 11)]


def test_table_fits_a_narrow_terminal_and_loses_nothing(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda stderr=False: Console(file=shown, width=40, _environ={}))
    row = ["adam", "a long text in several words", "0.9 +- 0.1", "/a/path/that/is/long/and/has/no/space"]
    terminal.show_table(["name", "text", "number", "path"], [row])
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(sorted("".join(lines[1:]).replace(" ", ""))) == "".join(sorted("".join(row).replace(" ", "")))


def test_table_that_goes_to_a_file_is_as_wide_as_it_needs(workspace, capfd):
    terminal.show_table(["a", "b"], [["x" * 300, "[bold]y"]])
    assert capfd.readouterr().out.splitlines()[1] == f"{'x' * 300}  [bold]y"


# whole processes


def test_reader_that_goes_away_leaves_no_traceback(workspace):
    process = start("list")
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() in (0, 1)


@pytest.mark.slow
def test_run_is_silent_on_stderr(workspace):
    process = start("run digits_mlp sgd --epochs 1 --format json")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(output)["outcome"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted_search_of_own_parts_goes_on_with_the_same_command(workers, workspace):
    """Own problem, candidate and optimizer are found by every process."""
    # After two runs its runs wait, so that the search cannot be over before the interruption comes.
    write_own_optimizer("cli_own", WAITING_OPTIMIZER)
    Path("testproblems").mkdir()
    text = (catalog.data_folder("testproblems") / "digits_mlp.toml").read_text()
    Path("testproblems/own.toml").write_text(text.replace("[64, 32]", "[8]"))
    command = f"search own mine --budget 6 --reruns 1 --epochs 1 --workers {workers}"
    process = start(command)
    while not Path("waiting").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    while "what runs is finished first" not in (line := process.stderr.readline()):
        assert line, "it ended"
    Path("go on").touch()
    # Not `communicate`, which does not know what has been read ahead of the line.
    errors, output = process.stderr.read(), process.stdout.read()
    process.communicate()
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-1].startswith("regbench: interrupted: ")
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    left = {path: path.read_bytes() for path in result_files()}
    assert 2 <= len(left) < 6

    process = start(f"{command} --format json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    [row] = json.loads(output)
    assert (row["problem"], row["candidate"], row["seeds"]) == ("own", "mine", [42, 43])
    files = result_files()
    assert len(files) == 7  # 6 trials and a re-run, each once
    assert {path.parts[1:3] for path in files} == {("own", "mine")}
    assert all(path.read_bytes() == content for path, content in left.items())
    assert [path.name for path in Path("results").rglob(".*")] == [".claims"]


def test_combination_is_shown_as_the_candidate_that_it_is(regbench):
    code, output, _ = regbench("show momentum+orthogonal+decoupled")
    assert code == 0
    assert output.startswith("# candidate momentum+orthogonal+decoupled\n")
    assert 'coupling = "decoupled"' in output
