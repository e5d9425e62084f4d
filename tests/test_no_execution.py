"""Content of result and data files is never evaluated, unpickled or executed; what comes near it stands in a table."""

import ast
import contextlib
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from regbench import datasets
from regbench.catalog import read_candidate, read_problem
from regbench.datasets import idx
from regbench.errors import RegbenchError
from regbench.trees import frames

ROOT = Path(__file__).resolve().parents[1]

MODULES = {
    *("pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "yaml"),
    *("code", "codeop", "runpy", "imp", "ctypes", "h5py", "multiprocessing", "distributed", "dask", "torch"),
}
"""Modules that make objects or code of bytes; their submodules too."""

NAMES = {
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile"),
    *("importlib.import_module", "importlib.reload", "importlib.util.spec_from_file_location", "importlib.machinery"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("pandas.read_pickle", "pandas.read_hdf", "pandas.eval", "numpy.lib.format", "numexpr.evaluate"),
    *("jinja2.Template", "logging.config", "shutil.unpack_archive"),
}
"""What is not to be mentioned at all, called or handed on."""

METHODS = {
    *("eval", "query", "from_string", "load_model", "load_weights", "extractall", "load_extension"),
    *("enable_load_extension", "allow_pickle", "unsafe_load", "exec_module"),
}
"""Names after a dot that are not to be mentioned, whatever the object is: frames evaluate, templates compile, ..."""

OWN_CODE = "the user's own code, named `module:name` in the user's own TOML file or on the command line"
TRANSPORT = "Dask's transport between machines unpickles: trusted networks only, or with TLS; no file goes through it"
OUR_CONFIG = "a configuration that Keras hands over or that was made here; never one from a result or data file"
ALLOWED = {
    ("regbench/__init__.py", "importlib.import_module"): "one of regbench's own modules, looked up in a table",
    ("regbench/benchmark/__init__.py", "importlib.import_module"): "one of its own modules, looked up in a table",
    ("regbench/catalog/own_code.py", "importlib.import_module"): OWN_CODE,
    ("regbench/models/__init__.py", "importlib.import_module"): OWN_CODE,
    ("regbench/cli/check.py", "importlib.import_module"): OWN_CODE,
    ("regbench/figures/__init__.py", "importlib.import_module"): "one of regbench's own papers, looked up in a list",
    ("regbench/guests/__init__.py", "importlib.import_module"): "one of regbench's own modules, looked up in a table",
    ("regbench/guests/optax.py", "importlib.import_module"): "a library that the user's own TOML file names",
    ("regbench/guests/torch.py", "importlib.import_module"): "a library that the user's own TOML file names",
    ("regbench/guests/torch.py", "torch"): "its optimizers; nothing is loaded from files",
    ("regbench/guests/torch.py", "optimizer.eval"): "the mode in which Schedule-Free shows its average",
    ("regbench/datasets/tolstoi.py", "numpy.lib.format"): "read_array with allow_pickle=False",
    ("regbench/datasets/own/function.py", "importlib.import_module"): OWN_CODE,
    ("regbench/optimizers/wrapper.py", "keras.saving.deserialize_keras_object"): OUR_CONFIG,
    ("regbench/contracts/configs.py", "keras.saving.deserialize_keras_object"): OUR_CONFIG,
    ("regbench/contracts/training.py", "keras.saving.load_model"): "a file that the check itself has just written",
    ("regbench/execution/child.py", "multiprocessing"): "a pipe between this process and its own child",
    ("regbench/execution/cluster.py", "dask"): TRANSPORT,
    ("regbench/execution/cluster.py", "distributed"): TRANSPORT,
    ("regbench/execution/slurm.py", "distributed"): TRANSPORT,
    ("regbench/execution/slurm_jobs.py", "dask"): TRANSPORT,
    ("regbench/execution/slurm_jobs.py", "distributed"): TRANSPORT,
    ("regbench/execution/workers.py", "distributed"): TRANSPORT,
    (
        "scripts/deepobs_reference.py",
        "importlib.import_module",
    ): "the installed package deepobs, by a name in the script",
}


def mentions(source: str) -> Iterator[str]:
    """Whatever in a program may evaluate, unpickle or execute what it reads."""
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {name.asname: name.name for name in node.names if name.asname}
            imported = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            aliases |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
            imported = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        yield from (name for name in imported if is_named(name))
        yield from MODULES & {name.partition(".")[0] for name in imported}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, aliases)
            if is_named(name) or (isinstance(node, ast.Attribute) and is_method(node.attr)):
                yield name
        elif isinstance(node, ast.Call):
            yield from careless_call(dotted(node.func, aliases), node)


def dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """The full name of what is mentioned; of the result of a call only what comes after the dot."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, aliases)}.{node.attr}"
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def is_named(name: str) -> bool:
    return name in NAMES or is_method(name.rpartition(".")[2] if "." in name else "")


def is_method(name: str) -> bool:
    return name in METHODS or name.startswith("deserialize")


def careless_call(name: str, call: ast.Call) -> Iterator[str]:
    """Calls that are harmless only with, or only without, certain arguments."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    for argument in ("shell", "allow_pickle"):
        value = given.get(argument, ast.Constant(False))
        if not (isinstance(value, ast.Constant) and value.value is False):
            yield f"{name}({argument})"
    if None in given and name.startswith(("subprocess.", "numpy.load")):
        yield f"{name}(**)"
    # Without `formats` Pillow tries all that it knows, and hands PostScript to another program.
    if name == "PIL.Image.open" and "formats" not in given:
        yield f"{name} without formats"
    if name in ("numpy.load", "np.load") and len(call.args) > 1:
        yield f"{name} with a mode"


def found_below(root: Path) -> set[tuple[str, str]]:
    """File and mention, in all programs of the package and the scripts."""
    paths = [path for folder in ("regbench", "scripts") for path in (root / folder).rglob("*.py")]
    assert paths
    return {
        (path.relative_to(root).as_posix(), mention)
        for path in paths
        for mention in mentions(path.read_text(encoding="utf-8"))
    }


def test_nothing_evaluates_unpickles_or_executes_but_what_the_table_gives_a_reason_for():
    assert found_below(ROOT) == set(ALLOWED)


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "list(map(eval, texts))",
        "exec(text)",
        "compile(text, 'x', 'exec')",
        "__import__(text)",
        "import builtins; builtins.eval(text)",
        "import pickle",
        "def f():\n    import pickle",
        "from pickle import loads as read",
        "import marshal",
        "import shelve",
        "import yaml; yaml.load(text)",
        "from joblib import load",
        "import cloudpickle as c",
        "import torch; torch.load(path)",
        "import importlib as i; i.import_module(text)",
        "from importlib import import_module as find",
        "import os; os.system(text)",
        "import subprocess; subprocess.run(text, shell=True)",
        "import subprocess as s; s.Popen(text, shell=is_shell)",
        "import subprocess; subprocess.run(text, **options)",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "import numpy as np; np.load(path, None, True)",
        "from numpy import load; load(path, allow_pickle=flag)",
        "import pandas as pd; pd.read_pickle(path)",
        "from pandas import read_pickle",
        "frame.query(text)",
        "read().eval(text)",
        "import keras; keras.models.load_model(path)",
        "import keras; keras.saving.deserialize_keras_object(table)",
        "from keras.saving import deserialize_keras_object as make",
        "keras.optimizers.deserialize(table)",
        "import tarfile; tarfile.open(path).extractall()",
        "environment.from_string(text)",
        "from PIL import Image; Image.open(path)",
    ],
)
def test_a_planted_line_is_found(tmp_path, line):
    (tmp_path / "regbench").mkdir()
    (tmp_path / "regbench" / "innocent.py").write_text("import json\nimport re\n\nre.compile('x')\njson.loads('1')\n")
    assert not found_below(tmp_path)
    (tmp_path / "regbench" / "planted.py").write_text(f"{line}\n")
    assert {path for path, _ in found_below(tmp_path)} == {"regbench/planted.py"}


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def arrays_of_objects(path, content):
    with path.open("wb") as file:
        np.savez(file, **dict.fromkeys(("mean", "covariance", "ridge", "sample_shape"), content))


def read_record_file(name):
    """The first file of the data set as the only one; it holds what a pickle of its size could."""

    def read(path):
        original = datasets.get(name)
        file = replace(original.files[0], name=path.name, size=path.stat().st_size)
        datasets.registry.read(replace(original, files=(file, file)), path.parent)

    return read


def read_prior(path):
    from regbench.regularizers import KernelPrior

    KernelPrior.load(path)


READERS = {
    "results": lambda path: frames.load(path.parent, cache=False),
    "problem": read_problem,
    "candidate": read_candidate,
    "idx": lambda path: idx.read_labels(path, 1, 10),
    "CIFAR-10": read_record_file("cifar10"),
    "CIFAR-100": read_record_file("cifar100"),
    "SVHN": read_record_file("svhn"),
    "prior": read_prior,
}


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_unpickles_what_it_is_given(tmp_path, reader):
    path, touched = tmp_path / "file.json", tmp_path / "touched"
    harmful = Touch(touched)
    pickle.loads(pickle.dumps(harmful))  # noqa: S301
    assert touched.exists()
    touched.unlink()
    if reader == "prior":
        arrays_of_objects(path, np.array([harmful], object))
    else:
        path.write_bytes(pickle.dumps(harmful, protocol=0))
    with contextlib.suppress(RegbenchError, ValueError):
        READERS[reader](path)
    assert not touched.exists()


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_from_its_binary_records_and_not_from_its_pickles(name):
    files = datasets.get(name).files
    assert all(file.name.endswith(".bin") for file in files)
    assert {file.download.name for file in files} == {f"{name.replace('cifar', 'cifar-')}-binary.tar.gz"}
