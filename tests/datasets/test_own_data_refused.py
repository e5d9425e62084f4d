"""Bad data of one's own, through the command line: one line that names file, key or column; nothing is written."""

import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from regbench.cli import main

PROBLEM = """summary = "s"
source = "s"
{keys}
model = {{ name = "mlp", units = [4] }}
loss = "sparse_categorical_crossentropy"
metric = "accuracy"
goal = "maximize"
chance = 0.5
batch_size = 8
epochs = 1
"""

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype("float32")
Y = np.arange(80) % 2
ARRAYS = {"x_train": X, "y_train": Y, "x_test": X[:20], "y_test": Y[:20]}
ROWS = [f"{number},{'ab'[number % 2]},{number % 4},{'yes' if number % 2 else 'no'}" for number in range(60)]

File = str | bytes | Mapping[str, Any] | Image.Image | Callable[[Path], object]


def table(*rows: str, head: str = "size,kind,level,bought") -> str:
    return "\n".join([head, *rows]) + "\n"


def changed(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    return ARRAYS | {name: array}


def spoilt(value: float) -> np.ndarray:
    array = X.copy()
    array[5, 2] = value
    return array


def photos(**changes: Any) -> dict[str, Any]:
    files: dict[str, Any] = {
        f"photos/{name}/{number}.png": Image.new("RGB", (8, 8), (9 * number, 0, 0))
        for name in ("ant", "bee")
        for number in range(8)
    }
    return files | changes


def function(body: str) -> dict[str, Any]:
    return {"mine.py": f"import numpy as np\nX, Y = np.zeros((40, 2), 'f4'), np.arange(40) % 2\n{body}\n"}


def image(mode: str, **others: Any) -> Callable[[Path], None]:
    return lambda path: Image.new(mode, (8, 8)).save(path, **others)


def deep_png(kind: int) -> bytes:
    """An image of 8 x 8, 16 bits a channel; `kind` is 2 for colour, 6 for colour and transparency."""
    row = bytes(1 + 8 * {2: 3, 6: 4}[kind] * 2)
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 8, 8, 16, kind, 0, 0, 0), b"IDAT" + zlib.compress(row * 8), b"IEND")
    packed = [struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


SHOP = '{ name = "table", path = "../shop.csv", target = "bought" }'
NUMBERS = '{ name = "table", path = "../shop.csv", target = "bought", targets = "numbers" }'
TWO = '{ name = "arrays", path = "../two.npz" }'
FOLDER = '{ name = "images", path = "../photos", size = [8, 8] }'
BOOK = '{ name = "text", path = "../book.txt" }'
OWN = '{ name = "mine:load" }'


def shop(keys: str) -> str:
    return SHOP.replace(" }", f", {keys} }}")


# The value of `dataset`, the files, and what the one line must contain.
REFUSED: dict[str, tuple[str, dict[str, File], list[str]]] = {
    "no such form": ('{ name = "tabel" }', {}, ["mine.toml: dataset.name", "arrays, table, images, text", "'tabel'"]),
    "no data set": ("3", {}, ["mine.toml: dataset: must be the name of a data set", "3"]),
    "unknown key": (shop('separater = ";"'), {}, ["dataset.separater", "Did you mean `separator`"]),
    "no path": ('{ name = "arrays" }', {}, ["dataset.path"]),
    "content is not for users": (shop('content = "x"'), {}, ["dataset.content", "no such key"]),
    "no target": ('{ name = "table", path = "../shop.csv" }', {}, ["dataset.target", "required"]),
    "fractions": (shop("valid_fraction = 0.9"), {}, ["valid_fraction", "below 1 together"]),
    "group and time": (shop('group = "kind", time = "size"'), {}, ["`group` and `time`"]),
    "two roles": (shop('drop = ["bought"]'), {}, ["one role", "'bought'"]),
    "no file": (SHOP, {}, ["shop.csv: must be a CSV or Parquet file. Received: nothing"]),
    "target column": (
        SHOP.replace("bought", "bougth"),
        {"shop.csv": table(*ROWS)},
        ["target", "Did you mean `bought`"],
    ),
    "dropped column": (shop('drop = ["knd"]'), {"shop.csv": table(*ROWS)}, ["drop", "Did you mean `kind`"]),
    "text among numbers": (
        SHOP,
        {"shop.csv": table(*ROWS, "12o,a,1,yes")},
        ["shop.csv: `size`: must hold numbers", "'12o' in row 60"],
    ),
    "text as a number to learn": (
        NUMBERS,
        {"shop.csv": table(*ROWS)},
        ["`bought`: must hold numbers", "'no' in row 0"],
    ),
    "missing values": (SHOP, {"shop.csv": table(*ROWS, ",a,,yes", ",b,1,no")}, ["`size` 2, `level` 1", "median"]),
    "missing target": (SHOP, {"shop.csv": table(*ROWS, "1,a,1,")}, ["target `bought`", "no value in 1 rows", "row 60"]),
    "infinite number": (SHOP, {"shop.csv": table(*ROWS, "inf,a,1,yes")}, ["`size`: must be finite", "row 60"]),
    "infinities that cancel": (
        SHOP,
        {"shop.csv": table(*ROWS, "inf,a,1,yes", "-inf,a,1,no")},
        ["`size`: must be finite", "2 infinite", "first in row 60"],
    ),
    "number too large for float32": (
        SHOP,
        {"shop.csv": table(*ROWS, "1e308,a,1,yes", "1e308,a,1,yes")},
        ["`size`: must be finite", "2 infinite or beyond 3.4e38, the first in row 60"],
    ),
    "classes of fractions": (
        SHOP.replace("bought", "size"),
        {"shop.csv": table("0.5,a,1,yes", *ROWS)},
        ["target `size`", "must hold classes", "0.5"],
    ),
    "class too rare": (
        SHOP,
        {"shop.csv": table(*ROWS, "1,a,1,maybe")},
        ["at least 3 samples of every class", "1 of 'maybe'"],
    ),
    "one class": (SHOP, {"shop.csv": table(*(row.replace("yes", "no") for row in ROWS))}, ["at least two classes"]),
    "too many texts": (
        SHOP,
        {"shop.csv": table(*(f"1,n{number},1,{'yn'[number % 2]}" for number in range(300)))},
        ["`kind`: must hold at most 256 different texts", "300"],
    ),
    "empty table": (SHOP, {"shop.csv": ""}, ["shop.csv", "No columns"]),
    "no rows": (SHOP, {"shop.csv": table()}, ["shop.csv: must have rows"]),
    "wrong separator": (
        SHOP,
        {"shop.csv": table(*ROWS).replace(",", ";")},
        ["two columns", "size;kind", "`separator`"],
    ),
    "ragged rows": (SHOP, {"shop.csv": table(*ROWS, "1,2,3,4,5,6")}, ["shop.csv", "line 62"]),
    "more values than names": (
        SHOP,
        {"shop.csv": table(*(f"{row},9" for row in ROWS))},
        ["shop.csv: line 2: must have as many values", "names of columns"],
    ),
    "binary table": (SHOP, {"shop.csv": b"a,b\n\xff\xfe\x00,1\n"}, ["shop.csv: must be a table", "UTF-8"]),
    "no Parquet": (SHOP.replace(".csv", ".parquet"), {"shop.parquet": "size\n1\n"}, ["must be a Parquet file"]),
    "a part without groups": (
        shop('group = "level", test_fraction = 0.5, valid_fraction = 0.4'),
        {"shop.csv": table(*(row for row in ROWS if ",3," not in row))},
        ["shop.csv: must hold enough to divide", "3 groups", "none is in 'train'"],
    ),
    "few groups": (shop('group = "kind"'), {"shop.csv": table(*ROWS)}, ["at least 3 groups", "2"]),
    "no times": (
        shop('time = "kind"'),
        {"shop.csv": table(*ROWS)},
        ["time `kind`", "dates or numbers", "'a' in row 0"],
    ),
    "few times": (
        shop('time = "level"'),
        {"shop.csv": table(*(f"1,a,7,{'yn'[number % 2]}" for number in range(60)))},
        ["time: must have at least 3 points"],
    ),
    "negative weights": (
        shop('weights = "level"'),
        {"shop.csv": table(*ROWS, *(f"1,a,-1,{'yes' if number % 2 else 'no'}" for number in range(60)))},
        ["weights: must not be negative", "-1"],
    ),
    "nothing but the target": (
        shop('drop = ["size", "kind", "level"]'),
        {"shop.csv": table(*ROWS)},
        ["must have a column"],
    ),
    "unequal lengths": (TWO, {"two.npz": changed("y_test", Y[:19])}, ["x_test and y_test", "20 and 19"]),
    "unequal lengths in training": (TWO, {"two.npz": changed("y_train", Y[:79])}, ["x_train and y_train", "80 and 79"]),
    "NaN": (TWO, {"two.npz": changed("x_train", spoilt(np.nan))}, ["x_train: must be finite", "1 NaN", "[5, 2]"]),
    "infinite": (TWO, {"two.npz": changed("x_test", spoilt(np.inf)[:20])}, ["x_test: must be finite", "[5, 2]"]),
    "too large for float32": (
        TWO,
        {"two.npz": changed("x_train", X.astype(float) * 1e300)},
        ["x_train as float32: must be finite"],
    ),
    "target too large for float32": (
        TWO.replace(" }", ', targets = "numbers" }'),
        {"two.npz": {name: array * 1e300 if name[0] == "y" else array for name, array in ARRAYS.items()}},
        ["y_train as float32: must be finite"],
    ),
    "new class in test": (TWO, {"two.npz": changed("y_test", Y[:20] + 1)}, ["y_test", "that training has", "2"]),
    "class lacks in test": (TWO, {"two.npz": changed("y_test", Y[:20] * 0)}, ["y_test: must hold every class", "1"]),
    "array is missing": (TWO, {"two.npz": {"x_train": X, "y_train": Y}}, ["x_test", "Received: x_train, y_train"]),
    "half of a validation": (TWO, {"two.npz": changed("x_valid", X)}, ["x_valid and y_valid must be given together"]),
    "other shape in test": (
        TWO,
        {"two.npz": changed("x_test", X[:20, :2])},
        ["x_test must be like x_train", ", 3)", "(20, 2)"],
    ),
    "number for an array": (TWO, {"two.npz": changed("x_train", np.array(3))}, ["x_train: must have an axis"]),
    "flat inputs": (TWO, {"two.npz": changed("x_train", X[:, 0])}, ["x_train", "an axis for samples"]),
    "text inputs": (TWO, {"two.npz": changed("x_train", X.astype(str))}, ["x_train: must hold numbers", "<U"]),
    "objects": (TWO, {"two.npz": changed("y_train", np.array([{}] * 80))}, ["y_train", "never unpickled"]),
    "empty archive": (TWO, {"two.npz": b""}, ["two.npz: must be"]),
    "no archive": (TWO, {"two.npz": b"x_train"}, ["two.npz: must "]),
    "empty folder of arrays": (TWO.replace("two.npz", "two"), {"two/notes.txt": "x"}, ["an .npz, or a folder of .npy"]),
    "no image": (FOLDER, photos(**{"photos/ant/9.png": "text"}), ["photos/ant/9.png: must be an image"]),
    "cut image": (FOLDER, photos(**{"photos/ant/9.png": b"\x89PNG\r\n\x1a\n"}), ["photos/ant/9.png: must be an image"]),
    "16 bits": (FOLDER, photos(**{"photos/ant/9.png": image("I;16")}), ["photos/ant/9.png", "8 bits", "I;16"]),
    "16 bits in colour": (
        FOLDER,
        photos(**{"photos/ant/9.png": deep_png(2)}),
        ["photos/ant/9.png: must have 8 bits a channel", "16"],
    ),
    "16 bits with transparency": (FOLDER, photos(**{"photos/ant/9.png": deep_png(6)}), ["must have 8 bits", "16"]),
    "CMYK": (FOLDER, photos(**{"photos/ant/9.jpg": image("CMYK")}), ["photos/ant/9.jpg", "8 bits", "CMYK"]),
    "folder without images": (FOLDER, photos(**{"photos/cow/notes.txt": "x"}), ["photos/cow", "at least one image"]),
    "one class of images": (
        FOLDER,
        {f"photos/ant/{number}.png": Image.new("L", (8, 8)) for number in range(5)},
        ["photos: must hold at least two folders", "1"],
    ),
    "file for a folder": (FOLDER, {"photos": "text"}, ["photos: must be a folder of images. Received: a file"]),
    "class of test alone": (
        FOLDER,
        {
            f"photos/{place}/1.png": Image.new("L", (8, 8))
            for place in ("train/ant", "train/bee", "test/ant", "test/bee", "test/cow")
        },
        ["train and test must have the same classes", "'cow'"],
    ),
    "short text": (BOOK, {"book.txt": "to be or not to be" * 5}, ["book.txt", "at least 51 characters for"]),
    "no text": (BOOK, {"book.txt": ""}, ["book.txt", "two different characters"]),
    "text of bytes": (BOOK, {"book.txt": b"\xff\xfe\x00"}, ["book.txt: must be text in UTF-8"]),
    "no such module": (OWN, {}, ["mine:load cannot be imported"]),
    "no such function": (OWN, function(""), ["mine:load", "load"]),
    "no function": (OWN, function("load = 3"), ["mine:load", "must be a function", "3"]),
    "function that raises": (
        OWN,
        function("def load(): raise KeyError('no disk')"),
        ["mine:load", "KeyError", "no disk"],
    ),
    "function that exits": (OWN, function("def load(): raise SystemExit(0)"), ["mine:load", "SystemExit"]),
    "unknown argument": ('{ name = "mine:load", n = 3 }', function("def load(): pass"), ["mine:load", "'n'"]),
    "function that returns nothing": (OWN, function("def load(): pass"), ["mine:load", "NoneType"]),
    "function that returns part": (
        OWN,
        function("def load(): return {'x_train': X}"),
        ["mine:load", "Received: x_train"],
    ),
    "other data at the second call": (
        OWN,
        function("def load(): return dict(x_train=X + np.random.rand(), y_train=Y, x_test=X, y_test=Y)"),
        ["mine:load", "the same data whenever it is called"],
    ),
    "rows of unequal length": (
        OWN,
        function("def load(): return dict(x_train=np.array([[1], [1, 2]], object), y_train=Y, x_test=X, y_test=Y)"),
        ["mine:load", "x_train", "unequal length"],
    ),
}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in {"mine"} - before:
        sys.modules.pop(name, None)


def put(name: str, content: Any) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case str():
            path.write_text(content, encoding="utf-8")
        case bytes():
            path.write_bytes(content)
        case Image.Image():
            content.save(path)
        case dict():
            np.savez(path, **content)
        case _:
            content(path)


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_bad_data_are_answered_with_one_line(case: Any, capfd: pytest.CaptureFixture[str]) -> None:
    check_refusal(case, "search mine sgd --budget 1", capfd)


@pytest.mark.parametrize("command", ["run mine sgd", "show mine", "plan mine sgd --budget 1"])
@pytest.mark.parametrize("name", ["missing values", "NaN", "function that raises"])
def test_every_command_refuses_bad_data(name: str, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    check_refusal(REFUSED[name], command, capfd)


def check_refusal(case: Any, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    dataset, files, fragments = case
    put("testproblems/mine.toml", PROBLEM.format(keys=f"dataset = {dataset}"))
    for name, content in files.items():
        put(name, content)
    before = everything()
    assert main(command.split()) == 2
    output, errors = capfd.readouterr()
    assert (output, errors.count("\n")) == ("", 1)
    assert errors.startswith("regbench: error: ")
    assert [fragment for fragment in fragments if fragment not in errors] == []
    assert everything() == before


def test_all_errors_of_a_file_are_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    text = PROBLEM.format(keys=f"dataset = {shop('colums = 3, valid_fraction = 2.0')}").replace("= 8", "= -8")
    put("testproblems/mine.toml", text)
    assert main(["show", "mine"]) == 2
    errors = capfd.readouterr().err
    for fragment in ("dataset.colums", "Did you mean `columns`", "dataset.valid_fraction", "batch_size"):
        assert fragment in errors


def test_damaged_data_are_a_finding(capfd: pytest.CaptureFixture[str]) -> None:
    put("testproblems/mine.toml", PROBLEM.format(keys=f"dataset = {SHOP}"))
    assert main(["data", "verify", "mine", "--format", "json"]) == 1
    assert json.loads(capfd.readouterr().out)[0]["state"] == "missing"
    put("shop.csv", table(*ROWS, ",a,1,yes"))
    assert main(["data", "status", "mine", "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["state"] == "present"
    assert main(["data", "verify", "mine", "--format", "json"]) == 1
    (finding,) = json.loads(capfd.readouterr().out)
    assert finding["state"] == "damaged"
    assert "`size` 1" in finding["details"][0]
