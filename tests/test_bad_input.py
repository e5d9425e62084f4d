"""Bad input, through the real command line: one line and exit code 2, or a warning where the work goes on; no loss."""

import gzip
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from regbench import datasets
from regbench.cli import main
from regbench.store.folder import Folder

HEAD = 'summary = "s"\nsource = "s"\n'
PROBLEM = HEAD + (
    'dataset = "digits"\nmodel = { name = "mlp", units = [4] }\nloss = "sparse_categorical_crossentropy"\n'
    'metric = "accuracy"\ngoal = "maximize"\nchance = 0.1\nbatch_size = 64\nepochs = 1\n'
)
RUN, SEARCH = "run digits_mlp sgd --epochs 1", "search digits_mlp sgd"
RUN_MINE, RUN_MY_PROBLEM = "run digits_mlp mine --epochs 1", "run mine sgd"


def candidate(text):
    return {"search_spaces/mine.toml": text}


def optimizer(lines):
    return candidate(f"{HEAD}[optimizer]\n{lines}\n")


def own_optimizer(name, code):
    return optimizer(f'name = "{name}:MyOptimizer"') | {f"{name}.py": code}


def problem(old, new):
    assert old in PROBLEM
    return {"testproblems/mine.toml": PROBLEM.replace(old, new)}


def mnist(labels):
    """The files of MNIST; what matters is the content of the test labels, which are read last."""
    sizes = {file.name: file.size for file in datasets.get("mnist").files}
    shapes = {"train-images": (3, 60_000, 28, 28), "train-labels": (1, 60_000), "t10k-images": (3, 10_000, 28, 28)}
    contents = {"data/mnist/t10k-labels-idx1-ubyte.gz": labels}
    for name, size in sizes.items():
        if name.startswith("t10k-labels"):
            continue
        dimensions, *shape = shapes[name[:12].removesuffix("-")]
        header = b"".join(number.to_bytes(4, "big") for number in (2048 + dimensions, *shape))
        contents[f"data/mnist/{name}"] = gzip.compress(header + bytes(size - len(header)), compresslevel=1)
    return contents


LABELS = (2049).to_bytes(4, "big") + (10_000).to_bytes(4, "big") + bytes(10_000)

# Files in the working directory, the command, and what its one line on stderr must contain.
REFUSED_AT_ONCE = {
    "unknown command": ({}, "serach digits_mlp sgd", ["no command `serach`", "Did you mean `search`"]),
    "unknown command on data": ({}, "data stats", ["no command `stats`", "Did you mean `status`"]),
    "no command on data": ({}, "data", ["Missing command", "`regbench data --help`"]),
    "unknown list": ({}, "list problem", ["`problem`", "Did you mean `problems`"]),
    "unknown option": ({}, f"{RUN} --epoch 3", ["--epoch", "Did you mean", "--epochs"]),
    "option without value": ({}, "run digits_mlp sgd --seed", ["--seed", "requires an argument"]),
    "missing argument": ({}, "run digits_mlp", ["CANDIDATE", "`regbench run --help`"]),
    "argument too many": ({}, "run digits_mlp sgd adam", ["extra argument", "adam"]),
    "no candidate": ({}, "search digits_mlp", ["CANDIDATE"]),
    "unknown problem": ({}, "run digits_mpl sgd", ["no problem `digits_mpl`", "Did you mean `digits_mlp`"]),
    "unknown candidate": ({}, "search digits_mlp sgd adma", ["no candidate `adma`", "Did you mean `adam"]),
    "unknown name": ({}, "show quadratic_dep", ["quadratic_dep", "Did you mean `quadratic_deep`"]),
    "unknown dataset": ({}, "data verify mnits", ["no data set `mnits`", "Did you mean `mnist`"]),
    "unknown budget": ({}, f"{SEARCH} --budget medum", ["no budget `medum`", "Did you mean `medium`"]),
    "unknown sampler": ({}, f"{SEARCH} --sampler tpee", ["no sampler `tpee`", "Did you mean `tpe`"]),
    "unknown schedule": ({}, f"{RUN} --schedule cosin", ["no schedule `cosin`", "Did you mean `cosine`"]),
    "unknown protocol": ({}, f"{SEARCH} --protocol deepob", ["no protocol `deepob`", "Did you mean `deepobs`"]),
    "budget of nothing": ({}, f"{SEARCH} --budget 0", ["budget", "from 1 to", "Received: 0"]),
    "negative budget": ({}, f"{SEARCH} --budget -3", ["budget", "from 1 to", "Received: -3"]),
    "endless budget": ({}, f"{SEARCH} --budget 1000000000", ["budget", "to 1000000 trials", "Received: 1000000000"]),
    "broken budget": ({}, f"{SEARCH} --budget 1.5", ["no budget `1.5`", "Known: large, medium"]),
    "negative epochs": ({}, f"{RUN} --epochs -1", ["`epochs`", "at least 1", "Received: epochs=-1"]),
    "no epochs": ({}, f"{SEARCH} --epochs 0", ["`epochs`", "at least 1", "Received: epochs=0"]),
    "no epochs planned": ({}, "plan digits_mlp sgd --epochs 0", ["`epochs`", "at least 1", "Received: epochs=0"]),
    "batch larger than the data": (
        {},
        f"{RUN} --batch-size 5000",
        ["`batch_size` must be at most 1197", "Received: batch_size=5000"],
    ),
    "batch larger than the data planned": (
        {},
        "plan digits_mlp sgd --batch-size 1400",
        ["`batch_size`", "at most 1197"],
    ),
    "batch larger than what is selected": (
        {},
        "search mnist_cnn_sk_few sgd --batch-size 41",
        ["`batch_size` must be at most 40", "training", "Received: batch_size=41"],
    ),
    "batch of a problem that is larger than its data": (
        problem("batch_size = 64", "batch_size = 1198"),
        "show mine",
        ["`batch_size` must be at most 1197", "Received: batch_size=1198"],
    ),
    "negative learning rate": (
        {},
        f"{RUN} --set optimizer.learning_rate=-1",
        ["sgd: optimizer.learning_rate: must be positive", "Received: -1.0"],
    ),
    "learning rate of zero in a search": (
        optimizer('name = "sgd"\nlearning_rate = 0.0'),
        "search digits_mlp mine",
        ["mine.toml: optimizer.learning_rate: must be positive. Received: 0.0"],
    ),
    "momentum of one planned": (
        optimizer('name = "sgd"\nmomentum = 1.0'),
        "plan digits_mlp mine",
        ["mine.toml: optimizer.momentum: must be in [0, 1). Received: 1.0"],
    ),
    "beta beyond one shown": (
        optimizer('name = "adam"\nbeta_1 = { low = 0.5, high = 1.5 }'),
        "show mine",
        ["mine.toml: optimizer.beta_1: must be in [0, 1). Received: a range to 1.5"],
    ),
    "several errors of a file": (
        candidate(HEAD + '[optimizer]\nname = "sgd"\nlearning_rate = nan\n[decya]\n[decay]\ncoupling = "l3"'),
        "search digits_mlp mine",
        [
            "mine.toml: decya: there is no such key. Did you mean `decay`?; optimizer.learning_rate: must be finite",
            "'l3'",
        ],
    ),
    "accuracy that is to be small": (
        problem("maximize", "minimize"),
        "show mine",
        ["mine.toml: goal: must be maximize where the metric is accuracy. Received: 'minimize'"],
    ),
    "chance in percent": (
        problem("chance = 0.1", "chance = 10"),
        RUN_MY_PROBLEM,
        ["mine.toml: chance: must be in [0, 1]"],
    ),
    "epochs in parts": ({}, f"{RUN} --epochs 1.5", ["--epochs", "'1.5'", "integer"]),
    "negative seed": ({}, f"{RUN} --seed -1", ["`seed`", "from 0", "Received: seed=-1"]),
    "large seed": ({}, f"{SEARCH} --seed 2147483648", ["`seed`", "2**31 - 1", "Received: seed=2147483648"]),
    "seeds of re-runs that are too large": (
        {},
        f"{SEARCH} --seed 2147483647 --reruns 2",
        ["`seed`", "2**31 - 1", "the last of 2 re-runs", "Received: seed=2147483647"],
    ),
    "the same seeds planned": ({}, "plan digits_mlp sgd --seed 2147483640", ["`seed`", "the last of 9 re-runs"]),
    "no seed": ({}, f"{RUN} --seed x", ["--seed", "'x'", "integer"]),
    "negative workers": ({}, f"{SEARCH} --workers -1", ["`workers`", "Received: workers=-1"]),
    "negative re-runs": ({}, f"{SEARCH} --reruns -1", ["`reruns`", "Received: reruns=-1"]),
    "empty batch": ({}, f"{RUN} --batch-size 0", ["`batch_size`", "at least 1", "Received: batch_size=0"]),
    "no time": ({}, f"{RUN} --max-seconds 0", ["--max-seconds", "positive", "Received: 0"]),
    "no number of seconds": ({}, f"{RUN} --max-seconds nan", ["--max-seconds", "positive", "Received: nan"]),
    "steps without epochs": ({}, f"{RUN} --schedule step", ["schedule", "needs epochs and factors"]),
    "steps that do not match": (
        {},
        f"{RUN} --schedule step --lr-epochs 5,8 --lr-factors 0.1",
        ["schedule", "As many factors as epochs", "(5, 8)", "(0.1,)"],
    ),
    "steps that fall": (
        {},
        f"{RUN} --schedule step --lr-epochs 8,5 --lr-factors 0.1,0.01",
        ["schedule", "rise", "(8, 5)"],
    ),
    "steps of another schedule": ({}, f"{RUN} --lr-epochs 5 --lr-factors 0.1", ["belong to the schedule step", "none"]),
    "steps that are no numbers": (
        {},
        f"{RUN} --schedule step --lr-epochs 5;8",
        ["--lr-epochs", "whole numbers", "'5;8'"],
    ),
    "factor that is no number": (
        {},
        f"{RUN} --schedule step --lr-epochs 5 --lr-factors nan",
        ["schedule.factors", "finite", "nan"],
    ),
    "value without key": ({}, f"{RUN} --set 0.1", ["--set", "key=value", "'0.1'"]),
    "key without value": ({}, f"{RUN} --set optimizer.learning_rate=", ["--set", "key=value"]),
    "unknown key": (
        {},
        f"{RUN} --set optimizer.learning_rat=1",
        ["sgd", "`optimizer.learning_rat`", "Did you mean `optimizer.learning_rate`"],
    ),
    "key twice": ({}, f"{RUN} --set decay.strength=1 --set decay.strength=2", ["--set", "`decay.strength`", "once"]),
    "value that is none": ({}, f"{RUN} --set optimizer.learning_rate=0,1", ["`optimizer.learning_rate`", "'0,1'"]),
    "list as a value": ({}, f"{RUN} --set optimizer.learning_rate=[1]", ["`optimizer.learning_rate`", "'[1]'"]),
    "word for a number": ({}, f"{RUN} --set optimizer.learning_rate=fast", ["`optimizer.learning_rate`", "'fast'"]),
    "number of more than 64 bits": ({}, f"{RUN} --set a=0x{'f' * 17}", ["--set", "`a` must be a number", "'0xfff"]),
    "number of too many digits": ({}, f"{RUN} --set optimizer.learning_rate={'9' * 5000}", ["finite", "inf"]),
    "value without end": ({}, f"{RUN} --set a={'[' * 50_000}", ["--set", "`a` must be a number", "'[[["]),
    "infinite value": ({}, f"{RUN} --set optimizer.learning_rate=inf", ["`optimizer.learning_rate`", "finite", "inf"]),
    "negative strength": ({}, f"{RUN} --set decay.strength=-1", ["sgd", "`strength`", "not be negative", "-1.0"]),
    "unknown coupling": ({}, f"{RUN} --set decay.coupling=l3", ["decay.coupling", "'decoupled'", "'l3'"]),
    "broken TOML": (candidate("= broken"), RUN_MINE, ["search_spaces/mine.toml", "not valid TOML", "line 1"]),
    "broken TOML in a list": (candidate("= broken"), "list candidates", ["search_spaces/mine.toml", "not valid TOML"]),
    "broken TOML shown": (
        candidate("= broken"),
        "show mine --format json",
        ["search_spaces/mine.toml", "not valid TOML"],
    ),
    "empty file": (candidate(""), RUN_MINE, ["search_spaces/mine.toml", "optimizer", "Received: None"]),
    "no text": (candidate(b"\xff\xfe\x00"), RUN_MINE, ["search_spaces/mine.toml", "not valid TOML", "utf-8"]),
    "unknown section": (
        candidate(HEAD + '[optimizer]\nname = "sgd"\n[decya]\n'),
        RUN_MINE,
        ["mine.toml", "decya", "Did you mean `decay`"],
    ),
    "missing section": (candidate(HEAD), RUN_MINE, ["mine.toml", "optimizer", "must be a table with a `name`"]),
    "missing key": (
        candidate('summary = "s"\n[optimizer]\nname = "sgd"'),
        RUN_MINE,
        ["mine.toml", "source", "required"],
    ),
    "range upside down": (
        optimizer('name = "sgd"\nlearning_rate = { low = 1, high = 0.1 }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "`low` must be below `high`", "low=1.0, high=0.1"],
    ),
    "logarithm of zero": (
        optimizer('name = "sgd"\nlearning_rate = { low = 0, high = 0.1, log = true }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "`low` must be positive", "low=0.0"],
    ),
    "exponents beyond all floats": (
        optimizer('name = "sgd"\nlearning_rate = { log10 = [-400, 400] }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "`log10` must be exponents from -300 to 300", "[-400.0, 400.0]"],
    ),
    "range without width": (
        optimizer('name = "sgd"\nlearning_rate = { low = -1.7e308, high = 1.7e308 }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "The range must be shorter", "high=1.7e+308"],
    ),
    "whole numbers beyond those of floats": (
        optimizer('name = "sgd"\nlearning_rate = { low = 1, high = 1e19, integer = true }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "integer range", "2**53", "high=1e+19"],
    ),
    "choice that is no number": (
        optimizer('name = "sgd"\nlearning_rate = { choices = [0.1, nan] }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate.choices", "must be finite", "nan"],
    ),
    "name that joins": (
        {"search_spaces/a+b.toml": HEAD + '[optimizer]\nname = "sgd"'},
        "list candidates",
        ["search_spaces/a+b.toml", "must not have a `+`"],
    ),
    "former name of a combination": (
        {"search_spaces/adam_l2.toml": HEAD + '[optimizer]\nname = "sgd"'},
        "list candidates",
        ["search_spaces/adam_l2.toml", "`adam_l2` stands for `adam+l2`", "rename your file"],
    ),
    "address without port": (
        {},
        f"{SEARCH} --cluster nowhere",
        ["--cluster", "must be a Dask scheduler at this address", "'nowhere'", "port"],
    ),
    "unknown key of a range": (
        optimizer('name = "sgd"\nlearning_rate = { low = 0.1, hihg = 1 }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate.hihg", "Did you mean `high`"],
    ),
    "default that is no choice": (
        optimizer('name = "sgd"\nlearning_rate = { choices = [0.1, 1.0], default = 0.5 }'),
        RUN_MINE,
        ["mine.toml", "optimizer.learning_rate", "`default` must be one of [0.1, 1.0]", "default=0.5"],
    ),
    "no default": (
        optimizer('name = "sgd"\nlearning_rate = { low = 0.1, high = 1.0 }'),
        RUN_MINE,
        ["mine", "`optimizer.learning_rate`", "no `default`"],
    ),
    "negative L2": (
        optimizer('name = "sgd"\n[decay]\ncoupling = "l2"\nstrength = -0.1'),
        RUN_MINE,
        ["mine.toml", "decay", "`strength` must not be negative", "-0.1"],
    ),
    "name of a bundled candidate": (
        {"search_spaces/adam.toml": HEAD + '[optimizer]\nname = "sgd"'},
        RUN,
        ["search_spaces/adam.toml", "`adam` exists already", "rename your file"],
    ),
    "name of a bundled problem": ({"testproblems/digits_mlp.toml": PROBLEM}, "list", ["testproblems/digits_mlp.toml"]),
    "folder with the name of a problem": (
        {"testproblems/digits_mlp.toml/x": ""},
        RUN,
        ["testproblems/digits_mlp.toml"],
    ),
    "number as text": (
        problem("epochs = 1", 'epochs = "1"'),
        RUN_MY_PROBLEM,
        ["mine.toml", "epochs", "integer", "Received: '1'"],
    ),
    "missing key of a problem": (problem("epochs = 1", ""), RUN_MY_PROBLEM, ["mine.toml", "epochs", "required"]),
    "unknown key of a problem": (
        problem("epochs = 1", "epochs = 1\nbatchsize = 3"),
        RUN_MY_PROBLEM,
        ["mine.toml", "batchsize", "Did you mean `batch_size`"],
    ),
    "unknown loss": (problem("sparse_", "sparser_"), RUN_MY_PROBLEM, ["mine.toml", "`loss` must", "'sparser_categor"]),
    "unknown data set of a problem": (
        problem('"digits"', '"digts"'),
        RUN_MY_PROBLEM,
        ["no data set `digts`", "Did you mean `digits`"],
    ),
    "missing data": (
        {},
        "search mnist_mlp sgd --data-dir data",
        ["`mnist`", "data/mnist", "regbench data fetch mnist"],
    ),
    "missing data of a run": ({"data/mnist/x": ""}, "run mnist_mlp sgd --data-dir data", ["`mnist`", "data/mnist"]),
    "file in the way": ({"file": ""}, f"{RUN} --results file", ["file", "must be a folder", "Received: a file"]),
    "file in the way of a folder": ({"file": ""}, f"{SEARCH} --results file/x", ["file/x", "Received: a file (file"]),
    "file to compare": ({"file": "{}"}, "compare --results file", ["--results", "must be a folder", "'file', a file"]),
    "results that are missing": ({}, "compare --results nowhere", ["nowhere", "cannot be read as results", "No such"]),
    "page in a folder that is missing": (
        {},
        "compare --report no/such/page.html",
        ["--report", "must be in a folder that exists", "Received: 'no/such/page.html'"],
    ),
    "folder that nobody can make": ({}, f"{RUN} --results /proc/x", ["/proc/x", "can be created and written to"]),
    "path that is too long": ({}, f"{RUN} --results {'x' * 300}", ["xxx", "File name too long"]),
}
REFUSED_WHEN_BUILT = {
    "unknown optimizer": (optimizer('name = "adm"'), RUN_MINE, ["mine", "no optimizer `adm`", "Did you mean `adam`"]),
    "unknown optimizer in a search": (
        optimizer('name = "adm"'),
        "search digits_mlp mine --epochs 1",
        ["mine on digits_mlp", "optimizer.name", "`adm`"],
    ),
    "unknown optimizer that is planned": (optimizer('name = "adm"'), "plan digits_mlp mine", ["`adm`", "`adam`"]),
    "unknown optimizer that is shown": (optimizer('name = "adm"'), "show mine", ["`adm`", "Did you mean `adam`"]),
    "unknown optimizer for other processes": (
        optimizer('name = "adm"'),
        "search digits_mlp mine --workers 1",
        ["mine on digits_mlp", "`adm`"],
    ),
    "end of a range that the class refuses": (
        optimizer(
            'name = "signed_power"\ninner_optimizer = { name = "sgd" }\npower = { low = 0.5, high = 1.5, default = 1 }'
        ),
        "search digits_mlp mine",
        ["mine on digits_mlp", "`power` must be in (0, 1]", "optimizer.power=1.5 was tried"],
    ),
    "default that an own class refuses": (
        optimizer('name = "bad_input_g:make"\nrate = { low = 0.5, high = 1.5, default = 7 }')
        | {
            "bad_input_g.py": "import keras\n"
            "def make(rate):\n    if rate > 2: raise RuntimeError('too fast')\n    return keras.optimizers.SGD(rate)\n"
        },
        "search digits_mlp mine",
        ["mine on digits_mlp", "too fast", "optimizer.rate=7.0 was tried"],
    ),
    "unknown argument": (
        optimizer('name = "sgd"\nlearning_rte = 0.1'),
        RUN_MINE,
        ["mine", "optimizer: sgd", "no argument `learning_rte`", "Did you mean `learning_rate`"],
    ),
    "value that Keras refuses": (
        optimizer('name = "ftrl"\nlearning_rate_power = 2.0'),
        RUN_MINE,
        ["mine", "ftrl", "`learning_rate_power`"],
    ),
    "decay inside the optimizer": (
        optimizer('name = "adam"\nweight_decay = 0.1'),
        RUN_MINE,
        ["mine", "optimizer.weight_decay", "[decay]"],
    ),
    "unknown regularizer": (
        optimizer('name = "sgd"\n[regularizer]\nname = "l5"'),
        RUN_MINE,
        ["mine", "regularizer.name", "no regularizer `l5`"],
    ),
    "module that is not there": (
        optimizer('name = "no_such_module:Mine"'),
        RUN_MINE,
        ["mine", "no_such_module:Mine", "cannot be imported", "No module named"],
    ),
    "module without the class": (
        own_optimizer("bad_input_a", "x = 1"),
        RUN_MINE,
        ["bad_input_a:MyOptimizer", "no attribute"],
    ),
    "module that is no Python": (own_optimizer("bad_input_b", "def ("), RUN_MINE, ["bad_input_b", "invalid syntax"]),
    "module that raises": (
        own_optimizer("bad_input_c", "raise RuntimeError('first\\nsecond')"),
        RUN_MINE,
        ["bad_input_c:MyOptimizer", "cannot be imported: first second"],
    ),
    "class that is no optimizer": (
        own_optimizer("bad_input_d", "class MyOptimizer: pass"),
        RUN_MINE,
        ["mine", "must be a Keras optimizer", "bad_input_d:MyOptimizer"],
    ),
    "number that is no optimizer": (
        own_optimizer("bad_input_e", "MyOptimizer = 3"),
        RUN_MINE,
        ["must be a class", "3"],
    ),
    "unknown model": (problem('"mlp"', '"mpl"'), RUN_MY_PROBLEM, ["no model `mpl`", "Did you mean `mlp`"]),
    "unknown argument of a model": (
        problem("units", "unit"),
        RUN_MY_PROBLEM,
        ["model `mlp`", "no argument `unit`", "Did you mean `units`"],
    ),
    "argument of a model of another type": (
        problem("[4]", '"many"'),
        RUN_MY_PROBLEM,
        ["model `mlp`", "`units`", "Received: units='many'"],
    ),
    "model that is none": (
        problem('{ name = "mlp", units = [4] }', '"bad_input_f:build"')
        | {"bad_input_f.py": "def build(input_shape, classes): return 3"},
        RUN_MY_PROBLEM,
        ["model `bad_input_f:build`", "must be a Keras model", "Received: 3"],
    ),
    "model that does not fit the data": (
        problem('{ name = "mlp", units = [4] }', '"conv_3c3d"'),
        RUN_MY_PROBLEM,
        ["model `conv_3c3d`", "(8, 8, 1)"],
    ),
    "model that does not fit the loss": (
        {
            "testproblems/mine.toml": PROBLEM.replace("sparse_categorical_crossentropy", "model_output")
            .replace('"accuracy"', '"loss"')
            .replace("maximize", "minimize")
        },
        RUN_MY_PROBLEM,
        ["model `mlp`", "(None,)", "model_output", "Received: (None, 10)"],
    ),
    "truncated data": (
        mnist(gzip.compress(LABELS)[:20]),
        "run mnist_logreg sgd --data-dir data",
        ["data/mnist/t10k-labels-idx1-ubyte.gz", "whole gzip file"],
    ),
    "too few data": (
        mnist(gzip.compress(LABELS[:5000])),
        "run mnist_logreg sgd --data-dir data",
        ["t10k-labels-idx1-ubyte.gz", "must hold 10008 bytes", "Received: 5000"],
    ),
    "wrong magic number": (
        mnist(gzip.compress(b"\x00\x00\x08\x05" + LABELS[4:])),
        "run mnist_logreg sgd --data-dir data",
        ["t10k-labels-idx1-ubyte.gz", "magic number", "2049", "Received: 2053"],
    ),
}


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
def results(workspace, make_task, make_result):
    """A results tree with one run, as the default of `--results`."""
    spec = make_task("digits_mlp", "sgd", epochs=7).spec({"optimizer.learning_rate": 0.5}, 42)
    Folder("results").write(make_result(spec, train_losses=1.0, valid_losses=1.0, test_losses=1.0))
    return Path("results")


def write(files):
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def contents(folder):
    """The bytes of all files, but for that of the claims, which is empty and stays."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".claims"}


def check_refusal(case, results, capfd):
    files, command, fragments = case
    write(files)
    before = contents(results)
    code = main(shlex.split(command))
    output, errors = capfd.readouterr()
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith("regbench: error: ")
    for fragment in fragments:
        assert fragment in errors
    assert "Traceback" not in output + errors
    assert contents(results) == before
    return output


@pytest.mark.parametrize("case", REFUSED_AT_ONCE.values(), ids=REFUSED_AT_ONCE)
def test_bad_input_is_answered_with_one_line_and_nothing_is_lost(case, results, capfd):
    output = check_refusal(case, results, capfd)
    # What can be listed is listed although one file is broken; everything else prints nothing.
    assert ("momentum" in output) == (case[1:] == REFUSED_AT_ONCE["broken TOML in a list"][1:])


@pytest.mark.parametrize("case", REFUSED_WHEN_BUILT.values(), ids=REFUSED_WHEN_BUILT)
def test_bad_input_that_shows_when_a_run_begins_is_answered_with_one_line(case, results, capfd):
    assert check_refusal(case, results, capfd) == ""


@pytest.mark.parametrize("command", [RUN, f"{SEARCH} --epochs 1 --budget one_shot --reruns 0"], ids=["run", "search"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON"),
        (b'{"testproblem": "digits_mlp", "train_los', "not valid JSON"),
        (b'{"testproblem": "digits_mlp"}', "regbench did not write this file"),
        (b"[]", "must hold a JSON object"),
        (b"\xff\x00", "not valid JSON"),
        (b'{"regbench": {"format_version": 99}}', "`format_version` must be 1. Received: 99"),
    ],
)
def test_foreign_or_half_written_file_is_skipped_with_a_warning_and_left_as_it_is(
    content, reason, command, workspace, capfd
):
    assert main(shlex.split(RUN)) == 0
    broken = next(Path("results").rglob("*.json"))
    broken.write_bytes(content)
    capfd.readouterr()
    assert main(shlex.split(command)) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"regbench: warning: {broken}: skipped: ")
    assert reason in warnings[0]
    # The run was computed again, and lies beside the broken file.
    assert broken.read_bytes() == content
    assert len(list(Path("results").rglob("*.json"))) == 2


@pytest.mark.parametrize(
    ("command", "environment", "fragment"),
    [
        ("show adma", {}, "Did you mean `adam"),
        ("run digits_mlp sgd --protocol stirct", {}, "Did you mean `strict`"),
        ("run digits_mlp sgd", {"KERAS_BACKEND": "jax"}, "KERAS_BACKEND in the environment must be tensorflow"),
    ],
)
def test_process_ends_with_code_2_and_one_line(command, environment, fragment, workspace):
    done = subprocess.run(
        [sys.executable, "-m", "regbench", *shlex.split(command)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("regbench: error: ")
    assert fragment in done.stderr
