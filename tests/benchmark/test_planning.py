"""The runs of a search before they are made: each command makes exactly the run that the search looks for."""

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from regbench import catalog
from regbench.benchmark import machine_speed, planning
from regbench.benchmark.estimate import WRITING, network
from regbench.cli import main
from regbench.errors import DefinitionError
from regbench.records import Outcome, Timings
from regbench.store.folder import Folder

HEAD = 'summary = "s"\nsource = "s"\n'
STEPS = "--schedule step --lr-epochs 3,7 --lr-factors 0.30000000000000004,1e-05"
CURVES = {f"{split}_{what}": 0.5 for split in ("train", "valid", "test") for what in ("losses", "accuracies")}

NETWORK = """
import keras

def build(input_shape, classes):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes)])
"""


@pytest.fixture
def workspace(tmp_path, tmp_path_factory, monkeypatch):
    """A working directory, which does not stay on the module path; no data or cache from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("REGBENCH_DATA", raising=False)
    return tmp_path


@pytest.fixture
def regbench(workspace, capfd):
    """Runs a command in this process; gives exit code, lines on stdout and stderr."""

    def run(command):
        capfd.readouterr()
        code = main(shlex.split(command))
        output, errors = capfd.readouterr()
        return code, output.splitlines(), errors

    return run


@pytest.fixture
def planned(regbench):
    """The lines of a plan that succeeds; unless they are commands, each holds a run as JSON."""

    def run(arguments):
        is_plain = "--commands" not in arguments
        code, lines, _ = regbench(f"plan {arguments}{' --format json' if is_plain else ''}")
        assert code == 0
        if not is_plain:
            return lines
        return [json.dumps(run) for search in json.loads("\n".join(lines))["searches"] for run in search["runs"]]

    return run


@pytest.fixture
def machine(use_machine, make_result):
    """Computes nothing; all runs are completed, those with the largest learning rate best."""

    def run(spec):
        rates = [value for name, value in spec.setting.items() if name.endswith("learning_rate")]
        return make_result(spec, **CURVES | {"valid_accuracies": max([0.0, *rates])})

    return use_machine(run)


def write_run(spec, result, output="results", **changes):
    Folder(output).write(result.model_copy(update=changes))


def trials(arguments="quadratic_deep sgd", **options):
    problem, *candidates = arguments.split()
    return [run for search in planning.plan(problem, candidates, **options) for run in search.runs]


def check_that_commands_and_search_agree(arguments, regbench, planned, machine):
    """Run every command of a plan; the search then computes nothing but the re-runs, and the commands no run twice."""
    lines = planned(f"{arguments} --commands")
    digests = [json.loads(line)["digest"] for line in planned(arguments)]
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "regbench"
        code, _, errors = regbench(shlex.join(words))
        assert (code, errors) == (0, ""), line
    assert [spec.digest() for spec in machine.computed] == digests
    assert len(set(digests)) == len(digests)
    (trial_seed,) = {spec.seed for spec in machine.computed}
    del machine.computed[:]
    assert regbench(f"search {arguments} --reruns 1")[0] == 0
    assert {spec.digest() for spec in machine.computed}.isdisjoint(digests)
    assert {spec.seed for spec in machine.computed} == {trial_seed + 1}
    return lines


# What is run


def test_commands_make_the_runs_that_the_search_looks_for_with_every_candidate(regbench, planned, machine):
    # Those of other frameworks need their extras.
    names = [name for name in catalog.candidate_names() if ":" not in catalog.candidate(name).optimizer.name]
    arguments = f"digits_mlp {' '.join(names)} --budget 2 --protocol strict {STEPS}"
    lines = check_that_commands_and_search_agree(arguments, regbench, planned, machine)
    assert len(lines) == 2 * len(names)


@pytest.mark.parametrize(
    "arguments",
    [
        "digits_mlp adamw sgd+l2 muon --budget 3",
        "digits_mlp adam_decoupled lion --budget 2 --protocol deepobs-1.1 --schedule cosine_wr --epochs 1",
        "digits_mlp rmsprop --budget 2 --batch-size 7 --schedule ltr --data-dir nowhere",
        "digits_mlp momentum adamw --regularizer orthogonal --decay decoupled --budget 4",
        "digits_mlp momentum+eigenvalue_decay sgd+decoupled_constant --budget 4 --seed 7",
        "digits_mlp adam --decay l2 --regularizer smooth_kernel --sampler grid --budget 33",
        "quadratic_deep lookahead_radam power_nesterov_l2 --sampler qmc --budget 5",
        "quadratic_deep nag lookahead_momentum --budget one_shot",
        "quadratic_deep sgd --budget one_shot --sampler tpe",
        f"quadratic_deep sgd --budget 2 --results 'a b/it'\"'\"'s $HOME' --max-seconds 12.5 {STEPS}",
    ],
)
def test_commands_make_the_runs_that_the_search_looks_for_with_its_options(arguments, regbench, planned, machine):
    check_that_commands_and_search_agree(arguments, regbench, planned, machine)


def test_values_of_every_type_survive_the_command_line(regbench, planned, machine):
    Path("search_spaces").mkdir()
    words = ["true", "1.5", "inf", "1979-05-27", 'it\'s "a"', "a\\nb", "$HOME", "norm", "\\u007f"]
    quoted = ", ".join(json.dumps(word).replace("\\\\", "\\") for word in words)
    Path("takes_all.py").write_text("import keras\ndef make(**settings): return keras.optimizers.SGD()\n")
    Path("search_spaces/mine.toml").write_text(
        f'{HEAD}[optimizer]\nname = "takes_all:make"\nnesterov = {{ choices = [true, false] }}\n'
        f"norm = {{ choices = [{quoted}] }}\nmix = {{ choices = [1, 2.5, 1e-300] }}\n"
        "steps = { low = 1, high = 9, integer = true }\n"
        "close = { low = 1e-9, high = 1.0, log = true, one_minus = true }\n"
    )
    lines = check_that_commands_and_search_agree("digits_mlp mine --budget 40", regbench, planned, machine)
    settings = [json.loads(line)["setting"] for line in planned("digits_mlp mine --budget 40")]
    assert {setting["optimizer.norm"] for setting in settings[:40]} >= {"true", "inf", 'it\'s "a"', "a\nb", "\x7f"}
    assert {type(setting["optimizer.mix"]) for setting in settings} == {int, float}
    assert len(lines) == 40


def test_candidate_that_searches_nothing_is_one_run(regbench, planned, machine):
    Path("search_spaces").mkdir()
    Path("search_spaces/mine.toml").write_text(f'{HEAD}[optimizer]\nname = "sgd"\nlearning_rate = 0.1\n')
    lines = check_that_commands_and_search_agree("digits_mlp mine --budget large", regbench, planned, machine)
    assert len(lines) == 1


def test_line_of_json_tells_a_run(planned, machine):
    lines = planned("quadratic_deep sgd --budget 2 --seed 7 --epochs 5")
    (run, _) = trials(budget=2, seed=7, epochs=5)
    assert json.loads(lines[0]) == {
        "number": 0,
        "phase": "trials",
        "problem": "quadratic_deep",
        "candidate": "sgd",
        "setting": run.spec.setting,
        "seed": 7,
        "epochs": 5,
        "batch_size": 128,
        "schedule": {"name": "none", "epochs": [], "factors": []},
        "protocol": "deepobs",
        "digest": run.spec.digest(),
        "found": False,
        "seconds": run.seconds,
    }
    assert [json.loads(line)["number"] for line in lines] == [0, 1]


def test_sampler_that_learns_is_refused(workspace):
    with pytest.raises(DefinitionError, match=r"results of earlier ones\. Received: sampler='tpe'"):
        planning.plan("quadratic_deep", ["sgd"], sampler="tpe", budget=2)


def test_nothing_is_computed_or_written_and_nothing_heavy_is_loaded(workspace):
    program = """
import sys
from regbench.cli import main
assert main(["plan", "mnist_mlp", "sgd", "--commands"]) == 0
print(sorted({"tensorflow", "keras", "matplotlib", "pandas"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.endswith("[]\n")
    assert len(done.stdout.splitlines()) == 50
    assert list(workspace.iterdir()) == []


# What is there already


def test_runs_that_are_found_are_marked_and_left_out_of_the_missing(planned, make_result):
    first, second, third = trials(budget=3)
    write_run(second.spec, make_result(second.spec, **CURVES))
    found = [json.loads(line)["found"] for line in planned("quadratic_deep sgd --budget 3")]
    assert found == [False, True, False]
    missing = [json.loads(line)["digest"] for line in planned("quadratic_deep sgd --budget 3 --missing")]
    assert missing == [first.spec.digest(), third.spec.digest()]
    assert len(planned("quadratic_deep sgd --budget 3 --missing --commands")) == 2


def test_reruns_are_known_when_all_trials_are_there(regbench, planned, machine):
    arguments = "digits_mlp sgd --budget 3 --reruns 2"
    assert len(planned(arguments)) == 3
    regbench("search digits_mlp sgd --budget 3 --reruns 0")
    lines = [json.loads(line) for line in planned(arguments)]
    assert [(line["phase"], line["number"], line["found"]) for line in lines[3:]] == [
        ("re-runs", 0, False),
        ("re-runs", 1, False),
    ]
    winner = max(line["setting"]["optimizer.learning_rate"] for line in lines[:3])
    assert [(line["setting"]["optimizer.learning_rate"], line["seed"]) for line in lines[3:]] == [
        (winner, 43),
        (winner, 44),
    ]
    del machine.computed[:]
    for line in planned(f"{arguments} --missing --commands"):
        assert regbench(line.removeprefix("regbench "))[0] == 0
    assert len(machine.computed) == 2
    assert regbench(f"search {arguments}")[0] == 0
    assert len(machine.computed) == 2
    assert planned(f"{arguments} --missing") == []


def test_without_a_winner_there_are_no_reruns(workspace, make_result):
    for run in trials(budget=2):
        write_run(run.spec, make_result(run.spec, outcome=Outcome.DIVERGED, **CURVES))
    (search,) = planning.plan("quadratic_deep", ["sgd"], budget=2)
    assert (len(search.runs), search.reruns_to_come, search.missing()) == (2, 0, [])


def test_run_that_timed_out_is_missing_where_it_may_take_longer(workspace, make_result):
    run = trials(budget=2)[0]
    write_run(run.spec, make_result(run.spec, outcome=Outcome.TIMED_OUT, seconds=10.0, **CURVES))
    assert [trials(budget=2, max_seconds=limit)[0].is_found for limit in (9, 11, None)] == [True, False, False]


def test_run_that_failed_is_missing(workspace, make_result):
    run = trials(budget=2)[0]
    write_run(run.spec, make_result(run.spec, outcome=Outcome.FAILED))
    assert not trials(budget=2)[0].is_found


def test_setting_that_is_drawn_twice_is_missing_once(planned):
    Path("search_spaces").mkdir()
    text = f'{HEAD}[optimizer]\nname = "sgd"\nlearning_rate = {{ choices = [0.1, 0.2] }}\n'
    Path("search_spaces/mine.toml").write_text(text)
    assert len(planned("digits_mlp mine --budget 10")) == 10
    assert len(planned("digits_mlp mine --budget 10 --missing --commands")) == 2


# How long it takes


START = 6.0
SPEED = machine_speed.Speed(compile_seconds=1.0, run_seconds=1.0, sample_seconds=1.0)


@pytest.fixture
def known_start(monkeypatch):
    monkeypatch.setattr(machine_speed, "start_seconds", lambda: START)


def measured(
    spec, make_result, seconds, compiling=0.0, besides=0.0, is_here=True, outcome=Outcome.COMPLETED, **changes
):
    """A run in the tree whose epochs took so many seconds in all, besides what it compiled and did."""
    timings = Timings(
        compile_seconds=compiling,
        training_seconds=seconds,
        evaluation_seconds=0.0,
        total_seconds=compiling + besides + seconds,
    )
    name = platform.platform() if is_here else "another machine"
    result = make_result(spec, outcome=outcome, **CURVES)
    write_run(spec, result, timings=timings, environment={"platform": name}, **changes)


def estimate(arguments="quadratic_deep sgd", **options):
    problem, *candidates = arguments.split()
    (search,) = planning.plan(problem, candidates, budget=2, **options)
    return search


def rate_spec(make_task, rate=0.1, candidate="sgd", epochs=1, **options):
    others = {"optimizer.momentum": 0.9} if candidate == "momentum" else {}
    task = make_task("quadratic_deep", candidate, epochs=epochs, **options)
    return task.spec({"optimizer.learning_rate": rate, **others}, 42)


def test_search_takes_its_start_one_compilation_and_its_runs(workspace, known_start, make_task, make_result):
    measured(rate_spec(make_task, 0.1, epochs=4), make_result, seconds=8.0, compiling=3.0, besides=1.0)
    measured(rate_spec(make_task, 0.2, epochs=4), make_result, seconds=8.0, besides=1.0)
    measured(rate_spec(make_task, candidate="momentum"), make_result, seconds=1000.0)
    search = estimate(epochs=100, reruns=3)
    assert (search.whole_run.pace.source, search.whole_run.pace.runs) == ("runs", 2)
    assert search.whole_run.epoch_seconds == pytest.approx(2.0)
    assert [run.seconds for run in search.runs] == [pytest.approx(201.0)] * 2
    assert planning.total_seconds([search]) == pytest.approx(START + 3.0 + (2 + 3) * (201.0 + WRITING))
    assert planning.total_seconds([search], 5) == pytest.approx(START + 3.0 + 201.0 + WRITING)
    assert [run.seconds for run in estimate(epochs=100, max_seconds=60.0).runs] == [60.0, 60.0]


def test_trials_that_diverge_are_not_taken_for_whole_ones(workspace, known_start, make_task, make_result):
    measured(rate_spec(make_task, 0.1, epochs=10), make_result, seconds=10.0)
    short = {"outcome": Outcome.DIVERGED, "diverged_epoch": 2}
    measured(rate_spec(make_task, 0.2, epochs=10), make_result, seconds=2.0, **short)
    search = estimate(epochs=10, reruns=4)
    assert [run.seconds for run in search.runs] == [pytest.approx(6.0)] * 2
    assert planning.total_seconds([search]) == pytest.approx(START + 2 * 6.0 + 4 * 10.0 + 6 * WRITING)


def test_runs_of_other_candidates_count_where_there_are_none_of_its_own(workspace, make_task, make_result):
    measured(rate_spec(make_task, candidate="momentum"), make_result, seconds=7.0)
    measured(rate_spec(make_task, batch_size=64), make_result, seconds=800.0)
    pace = estimate(epochs=2).whole_run.pace
    assert (pace.source, pace.of_candidate, pace.runs) == ("runs", False, 1)
    assert [run.seconds for run in estimate(epochs=2).runs] == [pytest.approx(14.0)] * 2
    assert estimate(batch_size=64).whole_run.pace.of_candidate
    both = planning.plan("quadratic_deep", ["sgd", "momentum"], budget=2)
    assert [search.whole_run.pace.of_candidate for search in both] == [False, True]


def test_without_runs_the_table_tells_unless_the_network_is_the_users_own(workspace):
    assert estimate("cifar10_3c3d sgd+orthogonal").whole_run.pace.source == "table"
    Path("testproblems").mkdir()
    text = catalog.find_files("testproblems")["digits_mlp"].read_text()
    Path("planned_networks.py").write_text(NETWORK)
    own = re.sub(r"(?m)^model .*$", 'model = "planned_networks:build"', text)
    Path("testproblems/mine.toml").write_text(own)
    search = estimate("mine sgd")
    assert (search.whole_run, search.is_unknown, planning.total_seconds([search])) == (None, True, None)
    assert [run.seconds for run in search.runs] == [None, None]
    assert planning.total_seconds([]) == 0.0


def test_broken_files_do_not_hinder_an_estimate(workspace, make_task, make_result):
    for rate in (0.1, 0.2):
        spec = make_task("quadratic_deep", "sgd", epochs=1).spec({"optimizer.learning_rate": rate}, 42)
        measured(spec, make_result, seconds=7.0)
    next(Path("results").rglob("random_seed*.json")).write_text("{")
    assert estimate(epochs=1).runs[0].seconds == pytest.approx(7.0)


def test_estimate_of_a_large_tree_reads_what_was_made_last(workspace, make_task, make_result, monkeypatch):
    monkeypatch.setattr(planning, "_ENOUGH_FILES", 3)
    for number in range(5):
        measured(rate_spec(make_task, 0.1 + number), make_result, seconds=7.0)
    for number, path in enumerate(Path("results").rglob("random_seed*.json")):
        path.rename(path.with_name(f"random_seed__42__200{number}-01-01-00-00-00.json"))
    for number in (7, 8):
        measured(rate_spec(make_task, 0.1 + number), make_result, seconds=9.0)
    pace = estimate(epochs=1).whole_run.pace
    assert pace.runs == 3
    assert estimate(epochs=1).runs[0].seconds == pytest.approx(9.0)


def test_summary_adds_up_what_is_to_be_done_and_says_where_seconds_come_from(
    regbench, known_start, make_task, make_result
):
    measured(rate_spec(make_task, 0.1), make_result, seconds=60.0)
    measured(trials(budget=4, epochs=1)[2].spec, make_result, seconds=60.0, compiling=10.0)
    _, _, errors = regbench("plan quadratic_deep sgd --budget 4 --epochs 1 --reruns 5 --workers 4")
    assert errors.splitlines() == [
        "regbench: sgd: 4 runs, 1 of them in results, then 5 re-runs; time by 2 runs of it, made on this machine",
        # (3 + 5) minutes, four at a time, after the start and compiling.
        "regbench: to do: 3 runs and 5 re-runs of winners that are not known yet, about 0:02:17 with 4 at a time",
    ]
    _, _, errors = regbench("plan quadratic_deep sgd --budget 4 --epochs 1 --reruns 5 --workers 100")
    assert "about 0:01:17 with 100 at a time" in errors  # no run is shared
    _, _, errors = regbench("plan quadratic_deep momentum --budget 4 --epochs 1")
    assert "time by 2 runs of other candidates, made on this machine" in errors
    _, _, errors = regbench("plan quadratic_deep sgd --budget 4 --epochs 1 --commands")
    assert "each command also takes about 16 s to load TensorFlow and to compile" in errors
    _, _, errors = regbench("plan cifar10_3c3d sgd --budget 4")
    assert "time by a table of another machine" in errors
    machine_speed.record(networks={network(trials("cifar10_3c3d sgd", budget=1)[0].spec): SPEED})
    _, _, errors = regbench("plan cifar10_3c3d sgd --budget 4")
    assert "time by what this machine took for its network before" in errors


def test_summary_names_what_is_unknown(regbench):
    Path("testproblems").mkdir()
    Path("planned_networks.py").write_text(NETWORK)
    text = catalog.find_files("testproblems")["digits_mlp"].read_text()
    Path("testproblems/mine.toml").write_text(re.sub(r"(?m)^model .*$", 'model = "planned_networks:build"', text))
    _, _, errors = regbench("plan mine sgd --budget 4")
    assert "time unknown: nothing was measured of its network with this batch size" in errors
    assert errors.endswith("unknown time\n")


def test_json_holds_runs_and_estimate_and_nothing_else_is_said(regbench, known_start, make_result):
    first, _ = trials(budget=2)
    epochs = catalog.problem("quadratic_deep").epochs
    measured(first.spec, make_result, seconds=float(epochs), compiling=3.0, besides=0.5)
    code, lines, errors = regbench("plan quadratic_deep sgd --budget 2 --reruns 3 --workers 2 --format json")
    assert (code, errors) == (0, "")
    table = json.loads("\n".join(lines))
    (search,) = table["searches"]
    assert (search["missing"], search["reruns_to_come"], len(search["runs"])) == (1, 3, 2)
    one = epochs + 0.5 + WRITING
    assert search["seconds"] == pytest.approx(START + 3.0 + 4 * one)
    assert (table["seconds"], table["workers"]) == (pytest.approx(START + 3.0 + 2 * one), 2)
    assert search["estimate"] == {
        "source": "runs",
        "runs": 1,
        "of_candidate": True,
        "this_machine": True,
        "compile_seconds": 3.0,
        "run_seconds": 0.5,
        "epoch_seconds": pytest.approx(1.0),
        "trained_share": 1.0,
    }


# Bad input


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ("digits_mlp", ["CANDIDATE", "`regbench plan --help`"]),
        ("digits_mpl sgd", ["no problem `digits_mpl`", "Did you mean `digits_mlp`"]),
        ("digits_mlp sdg", ["no candidate `sdg`", "Did you mean `sgd`"]),
        ("digits_mlp sgd --budget 0", ["budget", "from 1 to", "Received: 0"]),
        ("digits_mlp sgd --sampler tpe", ["`sampler`", "results of earlier ones", "Received: sampler='tpe'"]),
        ("digits_mlp sgd --sampler gird", ["no sampler `gird`", "Did you mean `grid`"]),
        ("digits_mlp adam --sampler grid --budget 7", ["grid", "at least 8 trials", "Received: 7"]),
        ("digits_mlp sgd --reruns -1", ["`reruns`", "not be negative", "Received: reruns=-1"]),
        ("digits_mlp sgd --workers -1", ["`workers`", "not be negative", "Received: workers=-1"]),
        ("digits_mlp sgd --workers x", ["--workers", "'x'"]),
        ("digits_mlp sgd --seed -1", ["`seed`", "Received: seed=-1"]),
        ("digits_mlp sgd --commands --format json", ["`--commands` and `--format`"]),
        ("digits_mlp sgd --decay l3", ["no regularizer or decay coupling `l3`", "Known: cautious, decoupled"]),
        ("digits_mlp sgd --schedule step", ["schedule", "needs epochs and factors"]),
        ("digits_mlp sgd --protocol stirct", ["no protocol `stirct`", "Did you mean `strict`"]),
        ("digits_mlp sgd --max-seconds 0", ["--max-seconds", "positive", "Received: 0"]),
        ("digits_mlp sgd --results file", ["file", "must be a folder", "Received: a file"]),
    ],
)
def test_bad_input_is_answered_with_one_line(arguments, fragments, regbench):
    Path("file").write_text("")
    code, lines, errors = regbench(f"plan {arguments}")
    assert (code, lines, errors.count("\n")) == (2, [], 1)
    assert errors.startswith("regbench: error: ")
    for fragment in fragments:
        assert fragment in errors
    assert list(Path().iterdir()) == [Path("file")]


# For real


@pytest.mark.slow
def test_search_after_a_job_array_only_makes_the_reruns(workspace, regbench):
    """The lines are run as a batch system would, by their numbers, in processes of their own."""
    environment = os.environ | {"PATH": f"{workspace}/bin:{os.environ['PATH']}"}
    program = workspace / "bin" / "regbench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m regbench "$@"\n')
    program.chmod(0o755)

    arguments = f"digits_mlp momentum+orthogonal+decoupled --budget 2 --epochs 2 {STEPS.replace('3,7', '1,2')}"
    Path("runs.txt").write_text("".join(f"{line}\n" for line in regbench(f"plan {arguments} --commands --missing")[1]))
    command = 'eval "$(sed -n "${SLURM_ARRAY_TASK_ID}p" runs.txt)"'
    for number in ("1", "2"):
        subprocess.run(["sh", "-c", command], env=environment | {"SLURM_ARRAY_TASK_ID": number}, check=True)
    written = set(Path("results").rglob("*.json"))
    assert len(written) == 2
    code, lines, errors = regbench(f"search {arguments} --reruns 1 --format json")
    assert code == 0
    assert "trials 2/2 (2 in the results already)" in errors
    (rerun,) = set(Path("results").rglob("*.json")) - written
    assert rerun.name.startswith("random_seed__43__")
    assert json.loads("\n".join(lines))[0]["trials"] == 2
    assert regbench(f"plan {arguments} --reruns 1 --missing --commands")[:2] == (0, [])
