"""`regbench new` and `search --data`: files that can be searched as they are."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from regbench import catalog
from regbench.cli import main
from regbench.cli.new import problem_of
from regbench.records import Table

RNG = np.random.default_rng(5)
N = 120
FUNCTION = """
import numpy as np

def load(n=100):
    x = np.random.default_rng(1).normal(size=(n, 3))
    y = x[:, 0] > 0
    return {"x_train": x[:80], "y_train": y[:80], "x_test": x[80:], "y_test": y[80:]}
"""
OPTIMIZER = """
import keras

class Plain(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.03, momentum=0.5, name="plain", **others):
        super().__init__(learning_rate=learning_rate, momentum=momentum, name=name, **others)

class Needy(keras.optimizers.SGD):
    def __init__(self, learning_rate, power):
        super().__init__(learning_rate)
"""


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty folder, but for the data."""
    monkeypatch.chdir(tmp_path)
    size = RNG.normal(100, 9, N).round(2)
    frame = pd.DataFrame(
        {
            "size": size,
            "town": RNG.choice(["rome", "oslo"], N),
            "day": pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(N), "D"),
            "price": size * 1000 + 5,
            "sold": np.where(size > 100, "yes", "no"),
        }
    )
    frame.to_csv("houses.csv", index=False)
    frame.assign(size=frame["size"].where(size < 110)).to_parquet("lots.parquet")
    frame.to_csv("semicolons.csv", index=False, sep=";")
    x, y = RNG.normal(size=(N, 4)), np.arange(N) % 3
    np.savez("two.npz", x_train=x, y_train=y, x_test=x[:40], y_test=y[:40])
    for name, grey in (("ant", 20), ("bee", 200)):
        Path("photos", name).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (9, 12), grey + number).save(Path("photos", name, f"{number}.png"))
    Path("book.txt").write_text("".join(RNG.choice(list("abc\n"), 4000)))
    Path("mine.py").write_text(FUNCTION)
    Path("own_steps.py").write_text(OPTIMIZER)
    yield tmp_path
    for name in ("mine", "own_steps"):
        sys.modules.pop(name, None)


FORMS = {
    "houses": "houses.csv --target sold",
    "lots": "lots.parquet --target price",
    "two": "two.npz",
    "photos": "photos",
    "book": "book.txt",
    "mine": "mine:load",
}
EXPECTED: dict[str, dict[str, Any]] = {
    "houses": {
        "metric": "accuracy",
        "dataset.drop": ["day"],
        "dataset.target": "sold",
        "dataset.path": "../houses.csv",
        "batch_size": 16,
    },
    "lots": {"metric": "rmse", "dataset.drop": ["day"], "dataset.missing": "median", "dataset.scale_target": True},
    "two": {"loss": "sparse_categorical_crossentropy", "dataset.name": "arrays", "model.name": "mlp"},
    "photos": {"model.name": "conv_2c2d", "dataset.size": [9, 9], "dataset.color": False},
    "book": {"loss": "token_crossentropy", "metric": "bits_per_character", "model.name": "char_gru"},
    "mine": {"dataset.name": "mine:load"},
}


def regbench(command: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(command.split())
    return code, *capfd.readouterr()


@pytest.mark.parametrize("name", FORMS)
def test_file_says_what_was_found(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, output, errors = regbench(f"new problem {name} --data {FORMS[name]}", capfd)
    assert (code, errors) == (0, "")
    assert f"regbench search {name} sgd adam --budget small" in output
    text = Path(f"testproblems/{name}.toml").read_text()
    table = tomllib.loads(text)
    for key, value in EXPECTED[name].items():
        found: Any = table
        for part in key.split("."):
            found = found[part]
        assert found == value, key
    assert catalog.problem(name).name == name


def test_names_that_look_like_lines_of_the_file_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("houses.csv").rename(columns={"size": "size, test_fraction", "day": "day, split_seed\n[x]"})
    frame["sold"] = frame["sold"].replace({"no": "no\nbatch_size = 3", "yes": "yes\x1b"})
    frame.to_parquet("odd.parquet")
    assert regbench("new problem odd --data odd.parquet --target sold", capfd)[0] == 0
    mine = catalog.problem("odd").dataset
    assert isinstance(mine, Table)
    assert mine.drop == ("day, split_seed\n[x]",)
    assert Path("testproblems/odd.toml").read_text().count("\n# split_seed = 0\n") == 1


def test_columns_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert regbench("new problem lots --data lots.parquet --target sold", capfd)[0] == 0
    text = Path("testproblems/lots.toml").read_text()
    dates = "day    dates: 2026-01-01 to 2026-04-30  (dropped)"
    for told in ("town   text: oslo, rome", dates, "sold   text: no, yes  <- target"):
        assert f"#   {told}" in text
    assert " missing" in text


def test_other_separators_are_found(capfd: pytest.CaptureFixture[str]) -> None:
    assert regbench("new problem houses --data semicolons.csv", capfd)[0] == 0
    mine = catalog.problem("houses").dataset
    assert isinstance(mine, Table)
    assert (mine.separator, mine.target) == (";", "sold")


def test_rare_classes_get_a_metric_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("houses.csv")
    frame["sold"] = np.where(np.arange(N) < 100, "no", "yes")
    frame.to_csv("houses.csv", index=False)
    assert regbench("new problem houses --data houses.csv", capfd)[0] == 0
    assert catalog.problem("houses").metric == "balanced_accuracy"
    assert '# class_weights = "balanced"' in Path("testproblems/houses.toml").read_text()


@pytest.mark.parametrize(
    ("command", "fragments"),
    [
        ("new problem a+b --data houses.csv", ["letters, digits", "'a+b'"]),
        ("new problem ../a --data houses.csv", ["letters, digits"]),
        ("new problem digits_mlp --data houses.csv", ["must be a new name", "digits_mlp.toml"]),
        ("new problem a --data nothing.csv", ["nothing.csv: must be a file, a folder or module:function"]),
        ("new problem a --data houses.csv --target prize", ["houses.csv: target", "Did you mean `price`"]),
        ("new problem a --data two.npz --target y", ["`target` must be given for a table only"]),
        ("new problem a --data mine:lood", ["mine:lood", "lood"]),
        ("new problem a --data nowhere:load", ["nowhere:load cannot be imported"]),
        ("new problem a", ["--data"]),
        ("new candidate a --optimizer own_steps:Needy", ["must have defaults", "power without one"]),
        ("new candidate a --optimizer own_steps:Plane", ["own_steps:Plane cannot be imported"]),
        ("new candidate a --optimizer mine:load", ["must be a Keras optimizer"]),
        ("new candidate adam --optimizer own_steps:Plain", ["must be a new name"]),
        ("search --data houses.csv adma", ["no candidate `adma`"]),
        ("search --data nothing.csv adam", ["nothing.csv"]),
        ("search --data houses.csv adam --protocol nowhere", ["nowhere"]),
        ("search --data houses.csv adam --schedule nowhere", ["nowhere"]),
        ("search --data houses.csv adam --workers -3", ["-3"]),
        ("search --data houses.csv adam --budget nothing", ["nothing"]),
        ("search digits_mlp sgd --target price", ["`target` must be given with `data` only"]),
        ("search digits_mlp", ["CANDIDATE"]),
        ("search --data houses.csv", ["PROBLEM"]),
    ],
)
def test_bad_input_writes_nothing(command: str, fragments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    code, output, errors = regbench(command, capfd)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert [one for one in fragments if one not in errors] == []
    assert not Path("testproblems").exists()
    assert not Path("search_spaces").exists()
    assert not Path("results").exists()


@pytest.mark.parametrize("place", ["../houses.csv", "./../x/../houses.csv"])
def test_data_beside_the_working_directory_are_known_again(
    place: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("x").mkdir()
    monkeypatch.chdir("x")
    assert [problem_of(place, "sold") for _ in range(2)] == ["houses", "houses"]
    assert "testproblems/houses.toml is there" in capfd.readouterr().err


@pytest.mark.slow
def test_search_on_data_uses_the_file_that_is_there(capfd: pytest.CaptureFixture[str]) -> None:
    search = "search --data houses.csv --target sold sgd,adam --budget one_shot --reruns 0 --epochs 1 --format json"
    code, output, errors = regbench(search, capfd)
    assert code == 0
    assert {row["candidate"] for row in json.loads(output)} == {"sgd", "adam"}
    assert "wrote testproblems/houses.toml" in errors
    text = Path("testproblems/houses.toml").read_text()
    code, _, errors = regbench(search, capfd)
    assert code == 0
    assert "testproblems/houses.toml is there" in errors
    assert "2 in the results already" in errors or "1 in the results already" in errors
    assert Path("testproblems/houses.toml").read_text() == text
    code, _, errors = regbench("search --data houses.csv --target price sgd", capfd)
    assert (code, errors.count("\n")) == (2, 1)
    assert "has another target" in errors


def test_candidate_of_an_own_optimizer_can_be_searched(capfd: pytest.CaptureFixture[str]) -> None:
    code, output, _ = regbench("new candidate plain --optimizer own_steps:Plain", capfd)
    assert code == 0
    assert "regbench search modular_addition plain adam" in output
    assert list(catalog.candidate("plain").searched()) == ["optimizer.learning_rate"]
    assert "# momentum = 0.5" in Path("search_spaces/plain.toml").read_text()
    assert regbench("show plain", capfd)[0] == 0


@pytest.mark.slow
def test_every_form_goes_from_its_file_to_a_comparison(capfd: pytest.CaptureFixture[str]) -> None:
    for name, data in FORMS.items():
        assert regbench(f"new problem {name} --data {data}", capfd)[0] == 0
        code, output, _ = regbench(f"search {name} sgd adam --budget 3 --reruns 0 --epochs 1 --format json", capfd)
        assert code == 0
        assert {row["candidate"] for row in json.loads(output)} == {"sgd", "adam"}
        assert regbench(f"plan {name} sgd --budget 3 --reruns 1", capfd)[0] == 0  # which learns from runs on record
    code, output, _ = regbench("compare --baselines none", capfd)
    assert code == 0
    assert [name for name in FORMS if f"{name}: test " not in output] == []
