"""What the commands call their arguments and options, and what they called them before."""

import shlex

import click
import pytest

from regbench.cli.commands import command_line
from regbench.errors import UnknownNameError


def commands(group=command_line, path=()):
    """All commands, by the words that call them."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())


def read(line):
    """What a command is called with; nothing is run."""
    name = max((name for name in COMMANDS if f"{line} ".startswith(f"{name} ")), key=len)
    with COMMANDS[name].make_context(name, shlex.split(line[len(name) :])) as context:
        return context.params


OLD = {
    "run digits_mlp sgd --output tree": "run digits_mlp sgd --results tree",
    "search digits_mlp sgd --output tree": "search digits_mlp sgd --results tree",
    "plan digits_mlp sgd --output tree": "plan digits_mlp sgd --results tree",
    "compare digits_mlp --candidates sgd,adam": "compare digits_mlp --candidate sgd --candidate adam",
    "run digits_mlp sgd --json": "run digits_mlp sgd --format json",
    "search digits_mlp sgd --json": "search digits_mlp sgd --format json",
    "plan digits_mlp sgd --json": "plan digits_mlp sgd --format json",
    "list --json": "list --format json",
    "show adam --json": "show adam --format json",
    "check module:Class --json": "check module:Class --format json",
    "lint tree --json": "lint tree --format json",
    "data status --json": "data status --format json",
    "data verify --json": "data verify --format json",
    "data fetch --json": "data fetch --format json",
}


@pytest.mark.parametrize("old", OLD)
def test_old_name_means_the_same(old):
    assert read(old) == read(OLD[old])


def help_of(name):
    return COMMANDS[name].get_help(click.Context(COMMANDS[name], info_name=name))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_of_no_old_name(name):
    words = help_of(name).split()
    old = {"--json", "--candidates"} | ({"--output"} if name != "figures" else set())
    assert not old & set(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_called_the_same_is_the_same(name):
    """One metavar and one default for each name, whatever the command."""
    known = {
        "--results": ("DIR", "[default: results"),
        "--output": ("DIR", "[default: "),
        "--data-dir": ("DIR", "[default: "),
        "--candidate": ("NAME", "repeatable"),
        "--set": ("KEY=VALUE", "repeatable"),
    }
    for option in COMMANDS[name].params:
        if option.opts[0] in known:
            metavar, told = known[option.opts[0]]
            record = " ".join(option.get_help_record(click.Context(COMMANDS[name])))
            assert record.startswith(f"{option.opts[0]} {metavar} ")
            assert told in record


@pytest.mark.parametrize("name", [name for name in COMMANDS if "--format" in help_of(name)])
def test_format_is_one_of_those_that_the_command_has(name):
    (option,) = [option for option in COMMANDS[name].params if option.name == "form"]
    arguments = {"run": "digits_mlp sgd", "search": "digits_mlp sgd", "plan": "digits_mlp sgd"}.get(name, "")
    others = {"show": "adam", "check": "module:Class", "lint": "tree", "power": "digits_mlp sgd adam"}
    arguments = others.get(name, arguments)
    for form in option.metavar.split("|"):
        assert read(f"{name} {arguments} --format {form}")["form"] == form
    assert read(f"{name} {arguments}")["form"] == option.metavar.split("|")[0]
    with pytest.raises(UnknownNameError, match=r"There is no format `tabel`"):
        read(f"{name} {arguments} --format tabel")


@pytest.mark.parametrize(
    ("line", "key", "values"),
    [
        ("search digits_mlp sgd,momentum adam", "candidates", ["sgd", "momentum", "adam"]),
        ("search digits_mlp 'sgd, momentum+orthogonal,'", "candidates", ["sgd", "momentum+orthogonal"]),
        ("search digits_mlp sgd sgd,adam adam", "candidates", ["sgd", "adam"]),
        ("plan digits_mlp sgd,momentum", "candidates", ["sgd", "momentum"]),
        ("compare digits_mlp,quadratic_deep", "problems", ["digits_mlp", "quadratic_deep"]),
        ("compare --candidate sgd,adam --candidate lion", "candidates", ["sgd", "adam", "lion"]),
        ("compare", "candidates", []),
        ("export tree --problem a,b --problem c", "problems", ["a", "b", "c"]),
        ("export tree --candidate a,b", "candidates", ["a", "b"]),
        ("data status mnist,cifar10 svhn", "names", ["mnist", "cifar10", "svhn"]),
        ("compare --results a,b --results c", "results", ["a", "b", "c"]),
        ("compare --results here,there", "results", ["here,there"]),
        ("compare --results here,there,c", "results", ["here", "there", "c"]),
        (f"compare --results {'x' * 300},b", "results", ["x" * 300, "b"]),
        ("compare --results ,", "results", [","]),
        ("compare", "results", []),
        ("figures all --results a,b", "results", ["a", "b"]),
        ("search digits_mlp sgd --results a,b", "results", "a,b"),
    ],
)
def test_commas_divide_what_may_be_repeated(line, key, values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here,there").mkdir()
    assert read(line)[key] == values


@pytest.mark.parametrize("line", ["search digits_mlp ,", "compare ,", "data status ', ,'", "compare --candidate ''"])
def test_commas_alone_are_no_name(line):
    with pytest.raises(click.BadParameter, match="must have a name"):
        read(line)
