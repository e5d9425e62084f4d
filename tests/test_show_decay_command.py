"""`regbench show PROBLEM --decay`, and the options of schedules, as a user calls them."""

import json
import math
import shlex

import pytest

from regbench.cli import main
from regbench.cli.commands import command_line


@pytest.fixture
def regbench(capfd):
    """Runs a command in this process; gives exit code, stdout and stderr."""

    def run(line):
        capfd.readouterr()
        code = main(shlex.split(line))
        return code, *capfd.readouterr()

    return run


def test_setting_is_converted_into_those_of_the_other_couplings(regbench):
    line = "show digits_mlp --decay decoupled=0.5 --learning-rate 0.1 --epochs 2 --batch-size 100 --momentum 0.9"
    code, output, _ = regbench(f"{line} --format json")
    rows = {row["coupling"]: row for row in json.loads(output)}
    assert code == 0
    assert rows["decoupled_momentum"]["strength"] == pytest.approx(0.05)
    assert rows["timescale"]["strength"] == pytest.approx(1 / (0.1 * 0.5 * 11))  # 1,197 images
    assert all(row["left"] == pytest.approx(0.95**22) for row in rows.values() if row["coupling"] != "cautious")
    assert rows["cautious"]["strength"] is None
    code, output, _ = regbench(line)
    assert output.startswith("digits_mlp: 2 epochs of 11 steps, learning rate 0.1, schedule none, momentum 0.9\n")
    assert ["lr_squared", "0.5", "0.3235", "step", "for", "step"] in [row.split() for row in output.splitlines()]


def test_schedule_and_its_warm_up_are_heeded(regbench):
    run = "--learning-rate 0.1 --epochs 2 --schedule warmup_linear"  # of 36 steps
    rising, falling = ([step / 18 for step in steps] for steps in (range(1, 19), range(18, 0, -1)))
    for warmup, factors in ((0.0, [step / 36 for step in range(36, 0, -1)]), (0.5, [*rising, *falling])):
        _, output, _ = regbench(f"show digits_mlp --decay lr_squared=0.5 {run} --warmup {warmup} --format json")
        (left,) = (row["left"] for row in json.loads(output) if row["coupling"] == "lr_squared")
        assert left == pytest.approx(math.prod(1 - 0.1 * factor**2 * 0.5 for factor in factors))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--decay decoupled=0.5", "--learning-rate: must be a positive number. Received: None"),
        ("--decay decoupled --learning-rate 0.1", "--decay: must be COUPLING=STRENGTH with a positive number"),
        ("--decay decoupled=-1 --learning-rate 0.1", "Received: 'decoupled=-1'"),
        ("--decay decupled=1 --learning-rate 0.1", "There is no decay coupling `decupled`. Did you mean `decoupled`"),
        ("--decay none=1 --learning-rate 0.1", "There is no decay coupling `none`"),
        ("--decay l2=1 --learning-rate 0.1 --momentum 1", "--momentum: must be in [0, 1). Received: 1.0"),
        ("--decay timescale=0.01 --learning-rate 0.1", "--decay: `strength` must be a time of at least two steps"),
        ("--decay l2=1 --learning-rate 0.1 --schedule cosine --warmup 0.1", "belongs to the schedules warmup_cosine"),
    ],
)
def test_what_means_nothing_is_refused_in_a_line(options, message, regbench):
    code, output, errors = regbench(f"show digits_mlp {options}")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert message in errors


def test_plan_gives_commands_that_make_the_same_schedule(regbench, tmp_path):
    line = "plan digits_mlp sgd+timescale --budget 1 --reruns 0 --epochs 2 --schedule wsd --warmup 0.25 --commands"
    code, output, _ = regbench(f"{line} --results {tmp_path}")
    assert code == 0
    words = shlex.split(output.splitlines()[0])
    command = command_line.commands[words[1]]
    with command.make_context(words[1], words[2:]) as context:
        assert (context.params["schedule"], context.params["warmup"]) == ("wsd", 0.25)


def test_equal_work_is_an_option_of_search_and_plan(regbench, tmp_path):
    line = f"plan digits_mlp sgd --budget 1 --epochs 2 --results {tmp_path}"
    assert regbench(f"{line} --equal epochs")[0] == 0
    code, _, errors = regbench(f"{line} --equal work")
    assert (code, "There is no measure of work `work`. Known: epochs, gradients." in errors) == (2, True)
