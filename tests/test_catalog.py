"""What the catalogue finds, and what it says about files that do not hold together."""

import os
import shutil
from pathlib import Path

import pytest

from regbench import catalog
from regbench.errors import DefinitionError, RegbenchError, UnknownNameError
from regbench.records import Choices, Coupling, Decay, Part, Range, Schedule

HEAD = 'summary = "s"\nsource = "s"\n'
SGD = HEAD + '[optimizer]\nname = "sgd"\n'
PROBLEM = {
    "summary": '"s"',
    "source": '"s"',
    "dataset": '"digits"',
    "model": '"mlp"',
    "loss": '"sparse_categorical_crossentropy"',
    "metric": '"accuracy"',
    "goal": '"maximize"',
    "chance": "0.1",
    "batch_size": "64",
    "epochs": "30",
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A working directory with folders for own problems and candidates."""
    monkeypatch.chdir(tmp_path)
    for folder in ("testproblems", "search_spaces"):
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.fixture
def candidate_of(workspace):
    """Writes a candidate file and reads it."""

    def read(text):
        Path("search_spaces/mine.toml").write_text(text)
        return catalog.candidate("mine")

    return read


@pytest.fixture
def problem_of(workspace):
    """Writes a problem file with some lines changed (None: left out) and reads it."""

    def read(**changes):
        lines = [f"{key} = {value}" for key, value in (PROBLEM | changes).items() if value is not None]
        Path("testproblems/mine.toml").write_text("\n".join(lines))
        return catalog.problem("mine")

    return read


def test_files_of_the_working_directory_stand_beside_the_bundled_ones(candidate_of, problem_of):
    assert "mine" not in catalog.candidate_names()
    candidate_of(SGD)
    problem_of()
    assert {"mine", "sgd", "adam"} <= set(catalog.candidate_names())
    assert {"mine", "digits_mlp", "quadratic_deep"} <= set(catalog.problem_names())
    assert catalog.candidate_names() == sorted(catalog.candidate_names())
    assert (catalog.candidate("mine").name, catalog.problem("mine").name) == ("mine", "mine")


@pytest.mark.parametrize(("folder", "name"), [("search_spaces", "sgd"), ("testproblems", "digits_mlp")])
def test_name_that_stands_for_two_contents_is_an_error_that_names_both_files(folder, name, workspace):
    bundled = catalog.data_folder(folder) / f"{name}.toml"
    own = Path(folder) / f"{name}.toml"
    own.write_text(bundled.read_text() + "# changed\n")
    with pytest.raises(DefinitionError) as refused:
        catalog.find_files(folder)
    assert str(own) in str(refused.value)
    assert str(bundled) in str(refused.value)
    assert "A name exists once: rename your file." in str(refused.value)


def test_identical_copy_of_a_bundled_file_is_allowed(workspace):
    shutil.copy(catalog.data_folder("search_spaces") / "sgd.toml", "search_spaces")
    assert catalog.candidate("sgd").optimizer.name == "sgd"
    assert catalog.candidate_names().count("sgd") == 1


def test_only_the_file_that_is_asked_for_must_hold_together(candidate_of):
    with pytest.raises(DefinitionError):
        candidate_of("= broken")
    assert catalog.candidate("sgd").name == "sgd"


def test_candidate_is_combined_with_a_regularizer_and_a_decay_by_name():
    base, combined = catalog.candidate("momentum"), catalog.candidate("momentum+orthogonal+decoupled")
    assert (combined.name, combined.optimizer) == ("momentum+orthogonal+decoupled", base.optimizer)
    assert combined.decay.coupling == Coupling.DECOUPLED
    assert list(combined.searched()) == [*base.searched(), "regularizer.factor", "decay.strength"]
    assert catalog.candidate("momentum+none").decay == Decay()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("momentum+decopled", "There is no regularizer or decay coupling `decopled`. Did you mean `decoupled`"),
        ("momentm+decoupled", "There is no candidate `momentm`. Did you mean `momentum`"),
        ("momentum+", "There is no regularizer or decay coupling ``."),
    ],
)
def test_combination_of_unknown_names_is_answered_with_close_ones(name, message):
    with pytest.raises(UnknownNameError) as refused:
        catalog.candidate(name)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("find", "name", "message"),
    [
        (catalog.problem, "digits_mpl", "There is no problem `digits_mpl`. Did you mean `digits_mlp`"),
        (catalog.candidate, "sdg", "There is no candidate `sdg`. Did you mean `sgd`"),
        (catalog.protocol, "deepob", "There is no protocol `deepob`. Did you mean `deepobs`"),
        (catalog.schedule, "cosin", "There is no schedule `cosin`. Did you mean `cosine`"),
        (catalog.budget_trials, "medum", "There is no budget `medum`. Did you mean `medium`?"),
        (catalog.budget_trials, "1.5", "There is no budget `1.5`. Known: large, medium, one_shot, small."),
        (catalog.budget_trials, "--5", "There is no budget `--5`. Known: "),
        (catalog.budget_trials, "", "There is no budget ``. Known: "),
    ],
)
def test_unknown_name_is_answered_with_close_ones(find, name, message):
    with pytest.raises(UnknownNameError) as refused:
        find(name)
    assert str(refused.value).startswith(message)


def test_budgets_are_names_or_positive_numbers():
    assert [catalog.budget_trials(name) for name in ("one_shot", "small", "medium", "large")] == [1, 25, 50, 75]
    assert [catalog.budget_trials(number) for number in (7, "7")] == [7, 7]
    for number in (0, -3, "0", "-3", 1_000_001, "99999999999999999999"):
        with pytest.raises(DefinitionError, match=rf"^A budget must be from 1 to 1000000 trials\. Received: {number}$"):
            catalog.budget_trials(number)


def test_protocols_are_those_of_deepobs_and_our_own():
    rules = {
        name: (p.validation, p.reshuffle, p.every_sample, p.augmented_train_evaluation, p.reruns, p.tuning_seed_counts)
        for name, p in catalog.PROTOCOLS.items()
    }
    assert rules == {
        "deepobs": (True, False, False, True, 9, True),
        "deepobs-1.1": (False, False, False, True, 9, True),
        "strict": (True, True, True, False, 10, False),
    }
    assert all(protocol.name == name for name, protocol in catalog.PROTOCOLS.items())


def test_schedules_are_made_from_names_and_plain_lists():
    assert catalog.schedule("cosine") == Schedule(name="cosine")
    assert catalog.schedule("step", [3], [1]) == Schedule(name="step", epochs=(3,), factors=(1.0,))
    for arguments in (("step",), ("cosine", [3], [0.1]), ("step", [3], []), ("step", ["3"], [0.1])):
        with pytest.raises(DefinitionError, match=r"^schedule"):
            catalog.schedule(*arguments)


def test_candidate_file_may_hold_ranges_choices_lists_and_parts(candidate_of):
    candidate = candidate_of(
        HEAD
        + """
        [optimizer]
        name = "signed_power"
        inner_optimizer = { name = "sgd", nesterov = true, learning_rate = { low = 1e-4, high = 1, log = true } }
        power = { choices = [0.5, 1], default = 1 }
        shape = [1, 2]
        [regularizer]
        name = "l1"
        [decay]
        coupling = "decoupled"
        strength = { log10 = [-4, -1], default = 1e-3 }
        """
    )
    rate = Range(low=1e-4, high=1.0, log=True)
    inner = Part(name="sgd", arguments={"nesterov": True, "learning_rate": rate})
    power = Choices(choices=(0.5, 1), default=1)
    arguments = {"inner_optimizer": inner, "power": power, "shape": [1, 2]}
    assert candidate.optimizer == Part(name="signed_power", arguments=arguments)
    assert candidate.regularizer == Part(name="l1")
    assert candidate.decay.coupling == Coupling.DECOUPLED
    assert candidate.decay.strength == Range(log10=(-4.0, -1.0), default=1e-3)
    assert list(candidate.searched()) == [
        "optimizer.inner_optimizer.learning_rate",
        "optimizer.power",
        "decay.strength",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= broken", "not valid TOML"),
        ('name = "mine"', "name: must not be given, because it is that of the file. Received: 'mine'"),
        ("", "optimizer: must be a table with a `name`. Received: None"),
        ('optimizer = "sgd"', "optimizer: must be a table with a `name`. Received: 'sgd'"),
        ("[optimizer]\nname = 3", "optimizer.name: must be the name of a class. Received: 3"),
        ('[optimizer]\nname = "sgd"', "summary: this key is required; source: this key is required"),
        (
            SGD + "x = [[1]]",
            "optimizer.x: must be a number, a string, a truth value, a range or a part. Received: [[1]]",
        ),
        (SGD + "x = 2020-01-01", "optimizer.x: must be a number, a string"),
        (SGD + "x = nan", "optimizer.x: must be finite. Received: nan"),
        (SGD + "x = [1, inf]", "optimizer.x: must be finite. Received: [1, inf]"),
        (SGD + "x = {}", "optimizer.x: A range needs `low` and `high` (or `log10`)."),
        (
            SGD + "x = { low = 1.0, high = 0.1 }",
            "optimizer.x: `low` must be below `high`. Received: low=1.0, high=0.1.",
        ),
        (SGD + "x = { low = 0, high = 1, log = true }", "optimizer.x: `low` must be positive where `log` is true."),
        (SGD + "x = { low = nan, high = 1 }", "optimizer.x.low: Input should be a finite number. Received: nan"),
        (SGD + "x = { low = 0.1, hihg = 1 }", "optimizer.x.hihg: there is no such key. Did you mean `high`?"),
        (SGD + 'x = { low = "a", high = 1 }', "optimizer.x.low: Input should be a valid number. Received: 'a'"),
        (SGD + "x = { choices = [] }", "optimizer.x.choices: Tuple should have at least 1 item"),
        (
            SGD + "x = { choices = [1, 2], default = 3 }",
            "optimizer.x: `default` must be one of [1, 2]. Received: default=3.",
        ),
        (SGD + "inner = { name = 3 }", "optimizer.inner.name: must be the name of a class. Received: 3"),
        (SGD + "[decay]\ncuopling = 'l2'", "decay.cuopling: there is no such key. Did you mean `coupling`?"),
        (SGD + "[decay]\ncoupling = 'l3'", "decay.coupling: Input should be 'none', 'l2', 'decoupled'"),
        (SGD + "[decay]\ncoupling = 'l2'\nstrength = -1", "decay: `strength` must not be negative. Received: -1.0."),
        (SGD + "[decay]\ncoupling = 'l2'\nstrength = 'big'", 'decay.strength: must be a number, a range or "problem"'),
        (
            SGD + "[decay]\ncoupling = 'l2'\nstrength = { low = -1, high = 1 }",
            "decay: `strength` must not be negative.",
        ),
        (
            SGD + "[decay]\ncoupling = 'l2'\nstrength = { low = 0.5, high = 2.0, one_minus = true }",
            "decay: `strength` must not be negative. Received: -1.0.",
        ),
        (
            SGD + "[decay]\ncoupling = 'l2'\nstrength = { low = 0.5, high = 2.0, default = -1 }",
            "decay: `strength` must not be negative. Received: -1",
        ),
        (
            SGD + "x = { choices = [1, 2, 1.0] }",
            "optimizer.x: `choices` must be different ones. Received: choices=[1, 2, 1",
        ),
        (
            SGD + "x = nan\ny = []\nz = { lwo = 1 }\n[decay]\ncuopling = 3",
            "optimizer.z.lwo: there is no such key. Did you mean `low`?; decay.cuopling: there is no such key. "
            "Did you mean `coupling`?; optimizer.x: must be finite. Received: nan",
        ),
        (SGD + "[decay]\nstrength = 0.1", "decay: `strength` needs a `coupling` other than none."),
        ("decay = 3\n" + SGD, "decay: must be a table. Received: 3"),
        ("regularizer = 3\n" + SGD, "regularizer: must be a table with a `name`. Received: 3"),
        (SGD + "[regularizer]\nl1 = 0.1", "regularizer.name: must be the name of a class. Received: None"),
        (SGD + '[optimiser]\nname = "sgd"', "optimiser: there is no such key. Did you mean `optimizer`?"),
    ],
)
def test_candidate_file_that_does_not_hold_together_is_refused_in_one_line_that_says_where(text, message, candidate_of):
    with pytest.raises(RegbenchError) as refused:
        candidate_of(text)
    assert str(refused.value).startswith(f"{Path('search_spaces/mine.toml')}: {message}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "model: must be a table with a `name`. Received: None"),
        ({"model": "3"}, "model: must be a table with a `name`. Received: 3"),
        ({"model": "{ units = [3] }"}, "model.name: must be the name of a class. Received: None"),
        ({"source": None}, "source: this key is required."),
        (
            {"batch_size": None, "batchsize": "64"},
            "batchsize: there is no such key. Did you mean `batch_size`?; batch_size: this key is required",
        ),
        ({"convergance": "0.9"}, "convergance: there is no such key. Did you mean `convergence`?"),
        (
            {"loss": '"mse"'},
            "`loss` must be one of sparse_categorical_crossentropy, categorical_crossentropy, smoothed_crossentropy, "
            "binary_crossentropy, token_crossentropy, mean_squared_error, mean_absolute_error, huber, model_output, or "
            "module:function. Received: loss='mse'",
        ),
        (
            {"loss": '"model_output"'},
            "`metric` must be loss where the loss is model_output. Received: metric='accuracy'.",
        ),
        ({"goal": '"minimize"'}, "goal: must be maximize where the metric is accuracy. Received: 'minimize'"),
        ({"metric": '"loss"'}, "goal: must be minimize where the metric is loss. Received: 'maximize'"),
        ({"chance": "10"}, "chance: must be in [0, 1] where the metric is accuracy. Received: 10.0"),
        ({"chance": "-0.1"}, "chance: must be in [0, 1] where the metric is accuracy. Received: -0.1"),
        ({"convergence": "90"}, "convergence: must be in [0, 1] where the metric is accuracy. Received: 90.0"),
        ({"chance": "nan"}, "chance: Input should be a finite number. Received: nan"),
        ({"epochs": "0"}, "epochs: Input should be greater than 0. Received: 0"),
        ({"epochs": "1.5"}, "epochs: Input should be a valid integer. Received: 1.5"),
        ({"epochs": '"3"'}, "epochs: Input should be a valid integer. Received: '3'"),
        ({"goal": '"max"'}, "goal: Input should be 'maximize' or 'minimize'. Received: 'max'"),
        ({"l2": "-0.1"}, "l2: Input should be greater than or equal to 0. Received: -0.1"),
    ],
)
def test_problem_file_that_does_not_hold_together_is_refused_in_one_line_that_says_where(changes, message, problem_of):
    with pytest.raises(RegbenchError) as refused:
        problem_of(**changes)
    path, _, rest = str(refused.value).partition(": ")
    assert path == str(Path("testproblems/mine.toml"))
    assert rest.removeprefix("the file: ").startswith(message)
    assert "\n" not in rest


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate = -1", "learning_rate: must be positive. Received: -1"),
        ("learning_rate = 0.0", "learning_rate: must be positive. Received: 0.0"),
        ("learning_rate = { low = 0, high = 1 }", "learning_rate: must be positive. Received: a range from 0.0"),
        ("momentum = 1.0", "momentum: must be in [0, 1). Received: 1.0"),
        ("momentum = -0.1", "momentum: must be in [0, 1). Received: -0.1"),
        ("beta_1 = 1.5", "beta_1: must be in [0, 1). Received: 1.5"),
        ("rho = { choices = [0.9, 1.0] }", "rho: must be in [0, 1). Received: 1.0"),
        (
            "momentum = { low = -1, high = 2, default = 3 }",
            "momentum: must be in [0, 1). Received: a range from -1.0, a range to 2.0, default=3",
        ),
        (
            "momentum = { low = 0, high = 0.5, one_minus = true }",
            "momentum: must be in [0, 1). Received: a range to 1.0",
        ),
        ("epsilon = -1e-8", "epsilon: must not be negative. Received: -1e-08"),
        ('inner = { name = "adam", beta_2 = 1 }', "inner.beta_2: must be in [0, 1). Received: 1"),
    ],
)
def test_value_without_meaning_is_refused_with_its_key(line, message, candidate_of):
    with pytest.raises(DefinitionError) as refused:
        candidate_of(SGD + line)
    assert str(refused.value) == f"{Path('search_spaces/mine.toml')}: optimizer.{message}"


def test_negative_strength_of_a_regularizer_is_refused(candidate_of):
    with pytest.raises(DefinitionError, match=r"regularizer\.factor: must not be negative\. Received: -0\.1"):
        candidate_of(SGD + '[regularizer]\nname = "orthogonal"\nfactor = -0.1')


def test_own_class_may_give_a_name_another_meaning(candidate_of):
    text = SGD.replace('"sgd"', '"my_module:Mine"') + "momentum = 1.5\nlearning_rate = -1"
    assert candidate_of(text).optimizer.arguments["momentum"] == 1.5


def test_byte_order_mark_is_read(workspace):
    Path("search_spaces/mine.toml").write_bytes(b"\xef\xbb\xbf" + SGD.encode())
    assert catalog.candidate("mine").optimizer.name == "sgd"


def test_model_of_a_problem_is_a_name_or_a_table(problem_of):
    assert problem_of(model='"mlp"').model == Part(name="mlp")
    assert problem_of(model='{ name = "mlp", units = [3] }').model == Part(name="mlp", arguments={"units": [3]})


def test_file_that_is_no_text_or_cannot_be_read_is_refused(workspace):
    Path("search_spaces/mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match=r"mine\.toml: not valid TOML: .*utf-8"):
        catalog.candidate("mine")
    Path("search_spaces/folder.toml").mkdir()
    with pytest.raises(DefinitionError, match=r"folder\.toml: cannot be read: no regular file$"):
        catalog.candidate("folder")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = " + "9" * 4301, "not valid TOML: Exceeds the limit"),
        ("[name]\nx = 0x" + "f" * 5000, "x: must fit into 64 bits. Received: 20000 bits"),
        ("x = 0x" + "f" * 5000, "x: must fit into 64 bits. Received: 20000 bits"),
        ("x = [1, 9223372036854775808]", "x: must fit into 64 bits. Received: 64 bits"),
        ("x = " + "[" * 50_000, "tables and lists must be nested at most 20 deep. Received: more"),
        ("x = " + "[" * 30 + "]" * 30, "tables and lists must be nested at most 20 deep. Received: more, in x"),
        ("a." * 10_000 + "b = 1", "tables and lists must be nested at most 20 deep. Received: more, in a"),
        ("# " + "x" * 2**16, "must have at most 65536 bytes. Received: more"),
        ('"\\u001b[31m\\n" = [{}]', r"optimizer.\x1b[31m\n: must be a number, a string"),
        ('"a\\nb" = 1\n[decay]\n"\\n" = 1', r"decay.\n: there is no such key."),
    ],
    ids=lambda text: text[:12],
)
def test_what_valid_toml_may_be_but_no_definition_is_refused_in_one_printable_line(line, message, candidate_of):
    with pytest.raises(DefinitionError) as refused:
        candidate_of(SGD + line)
    assert str(refused.value).startswith(f"{Path('search_spaces/mine.toml')}: {message}")
    assert str(refused.value).isprintable()


def test_numbers_of_64_bits_are_read(candidate_of):
    ends = [-(2**63), 2**63 - 1]
    assert candidate_of(SGD + f"x = {ends}").optimizer.arguments["x"] == ends


def test_what_is_no_file_is_not_waited_for(workspace):
    os.mkfifo("search_spaces/mine.toml")
    with pytest.raises(DefinitionError, match=r"mine\.toml: cannot be read: no regular file$"):
        catalog.candidate("mine")


def test_combination_has_one_name_and_says_what_it_is():
    combined = catalog.candidate("momentum+orthogonal+decoupled")
    assert combined.name == "momentum+orthogonal+decoupled"
    assert combined.regularizer.name == "orthogonal"
    assert combined.decay.coupling == "decoupled"
    assert catalog.candidate("momentum+decoupled+orthogonal") == combined
    assert list(combined.searched())[-2:] == ["regularizer.factor", "decay.strength"]
    assert catalog.candidate("momentum+none").decay.strength == 0.0


@pytest.mark.parametrize(
    "name", ["momentum+l2+decoupled", "momentum+orthogonal+orthogonal", "momentum+l2+orthogonal+decoupled"]
)
def test_combination_with_two_of_a_kind_is_refused(name):
    with pytest.raises(DefinitionError, match="at most one regularizer and at most one decay coupling"):
        catalog.candidate(name)
