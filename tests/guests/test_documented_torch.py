"""The sections on guests in docs/add-an-optimizer.md do what they say; also with workers."""

import json
import re
import sys
from pathlib import Path

import pytest

from regbench.cli import main

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```", re.M | re.S)


def curves(tree):
    """The curves of every run of a tree, by its folder and seed."""
    found = {}
    for path in Path(tree).rglob("random_seed*.json"):
        table = json.loads(path.read_text(encoding="utf-8"))
        found[path.parent.name, path.name.split("__")[1]] = [
            table[key] for key in sorted(table) if "losses" in key or "accuracies" in key
        ]
    return found


@pytest.mark.slow
def test_files_of_the_page_are_checked_searched_and_compared(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    page = (ROOT / "docs" / "add-an-optimizer.md").read_text(encoding="utf-8")
    files = dict(FILE.findall(page.partition("## An optimizer of PyTorch")[2]))
    assert set(files) == {"my_torch.py", "search_spaces/sign_torch.toml", "my_optax.py"}
    of_torch = files["search_spaces/sign_torch.toml"]
    files["search_spaces/sign_optax.toml"] = of_torch.replace("my_torch:SignDescent", "my_optax:sign_descent").replace(
        "\nlr = ", "\nlearning_rate = "
    )
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    for command in ("check my_torch:SignDescent", "check my_optax:sign_descent --set beta=0.8"):
        assert main(command.split()) == 0
        assert "6 of 6 clauses hold." in capfd.readouterr().out
    search = "search digits_mlp sign_torch sign_optax --budget 2 --epochs 2 --reruns 1 --results"
    assert main([*search.split(), "one"]) == 0
    shown = capfd.readouterr().out
    rows = [line for line in shown.splitlines() if line[:1].isdigit() and "sign_" in line]
    assert len(rows) == 2
    assert "implementations, not methods (PyTorch: sign_torch; optax: sign_optax)" in shown
    assert rows[0].split("decoupled")[1].split()[-8:-2] == rows[1].split("decoupled")[1].split()[-8:-2]
    whole = curves("one")
    for path in sorted(Path("one").rglob("random_seed*.json"))[::2]:
        path.rename("elsewhere.json")
    assert len(curves("one")) < len(whole)
    assert main([*search.split(), "one"]) == 0
    assert curves("one") == whole
    assert main([*search.split(), "two", "--workers", "2"]) == 0
    assert curves("two") == whole
    assert main(["compare", "digits_mlp", "--results", "one"]) == 0
    assert "sign_torch" in capfd.readouterr().out
