"""The source of own code: what belongs to it, and that what runs is what is on record."""

import hashlib
import sys
from pathlib import Path

import pytest

from regbench.catalog import own_code, own_sources
from regbench.errors import DefinitionError
from regbench.records import Part


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_code, "_loaded", {})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("sourced_"):
            del sys.modules[name]


def write(files=(), **modules):
    """Files by their paths without suffix, and modules by their names."""
    for name, text in (dict(files) | modules).items():
        path = Path(f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def files(module):
    with own_code.findable():
        return set(own_sources.files_of(module))


def digest(name="sourced_net:build"):
    return own_code.source_digests(Part(name=name))[name]


def test_digest_of_a_module_alone_is_that_of_its_file(folder):
    write(sourced_net="import keras\nimport json\nimport regbench.optimizers\n")
    assert digest() == hashlib.sha256(Path("sourced_net.py").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "imports",
    [
        "import sourced_help",
        "from sourced_help import FACTOR",
        "def build():\n    import sourced_help",
        "import sourced_between",
        "import sourced_pack.inner",
        "from sourced_pack import inner",
    ],
)
def test_edited_helper_changes_the_digest(folder, imports):
    write(
        sourced_net=imports,
        sourced_help="FACTOR = 1",
        sourced_between="from sourced_help import *",
        files={"sourced_pack/inner": "from . import deep", "sourced_pack/deep": "import sourced_help"},
    )
    before = digest()
    assert digest() == before
    write(sourced_help="FACTOR = 2")
    assert digest() != before


def test_packages_count_with_what_they_import_and_are_not_run(folder):
    write(
        {
            "sourced_pack/__init__": "raise RuntimeError\nfrom .shared import x",
            "sourced_pack/shared": "",
            "sourced_pack/deep/__init__": "",
            "sourced_pack/deep/net": "from ..other import y\nfrom . import aside\nimport sourced_pack.none",
            "sourced_pack/other": "",
            "sourced_pack/deep/aside": "",
            "sourced_pack/stranger": "",
        }
    )
    assert files("sourced_pack.deep.net") == {
        *("sourced_pack", "sourced_pack.shared", "sourced_pack.deep", "sourced_pack.deep.net", "sourced_pack.other"),
        "sourced_pack.deep.aside",
    }


def test_what_is_installed_or_comes_with_python_does_not_count(folder):
    write(
        sourced_net="import keras, tensorflow as tf, random, numpy.random, regbench.engine\nfrom pydantic import Field"
    )
    assert files("sourced_net") == {"sourced_net"}
    assert files("keras.regularizers") == {"keras.regularizers"}


def test_the_same_files_in_another_folder_are_the_same(folder, monkeypatch):
    write(sourced_net="import sourced_help", sourced_help="x = 1")
    before = digest()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert digest() == own_code.UNKNOWN
    write(sourced_net="import sourced_help", sourced_help="x = 1")
    assert digest() == before
    write(sourced_help="x = 2")
    assert digest() != before


def test_edited_module_is_loaded_anew_with_its_helpers(folder):
    write(sourced_net="from sourced_help import x", sourced_help="x = 1")
    own_code.load({"sourced_net:x"})
    assert sys.modules["sourced_net"].x == 1
    loaded = sys.modules["sourced_net"]
    own_code.load({"sourced_net:x"})
    assert sys.modules["sourced_net"] is loaded
    write(sourced_help="x = 2")
    own_code.load({"sourced_net:x"})
    assert sys.modules["sourced_net"].x == 2
    assert own_code.loaded_sources(Part(name="sourced_net:x")) == {"sourced_net:x": digest("sourced_net:x")}


def test_source_that_is_not_the_one_on_record_is_not_run(folder):
    write(sourced_net="x = 1")
    told = {"sourced_net:x": digest("sourced_net:x")}
    write(sourced_net="x = 2")
    with pytest.raises(
        DefinitionError, match=r"sourced_net:x: its source must be the one with which the command began"
    ):
        own_code.load(told, told)
    assert "sourced_net" not in sys.modules


def test_module_that_was_loaded_as_it_is_on_record_goes_on_when_its_file_changes(folder):
    write(sourced_net="x = 1")
    told = {"sourced_net:x": digest("sourced_net:x")}
    own_code.load(told, told)
    write(sourced_net="x = 2")
    own_code.load(told, told)
    assert sys.modules["sourced_net"].x == 1


def test_module_that_ends_the_program_is_told_in_one_line(folder):
    write(sourced_net="raise SystemExit(2)")
    with pytest.raises(DefinitionError, match=r"^sourced_net:x cannot be imported: 2$"):
        own_code.load({"sourced_net:x"})


def test_code_without_a_file_is_refused():
    with pytest.raises(DefinitionError, match=r"^here:Mine must be in a file that can be found here"):
        own_code.check_sources({"here:Mine": own_code.UNKNOWN, "there:Mine": "0" * 64})
