"""The report of a comparison: a page that holds everything, needs nothing, and executes nothing of what files hold."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from regbench.analysis.across import average_ranks
from regbench.comparison import compare
from regbench.comparison.figures import draw
from regbench.errors import ResultsError
from regbench.report import page as page_module
from regbench.report import provenance, scrutiny, write
from regbench.report.figures import CAPTIONS, MAP_PREFIX
from regbench.report.overview import title
from regbench.report.results import across

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMAND = "regbench compare --results 'a <b> & c\x1b'"
SECTIONS = [
    *["compared", "claims", "problems", "across", "figures", "decay", "fairness", "strength", "tuning"],
    *["irregular", "provenance"],
]
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr", "source", "base", "col"}

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "é" * 150,
    "tab\tand\x1b[31m\x00\u202eturned",
    "{{ 7 * 7 }}{% raw %}]]><!-- </style></svg>",
    "$\\frac{a}{b}$ 漢字",
]
HOSTILE_PROBLEM = "</title><script src=//example.org/x.js></script>"
HOSTILE_PARAMETER = "../<svg onload=alert(3)>\x07"


def write_run(folder, problem, optimizer, hyperparameters, seed, error, epochs=5, **keys):
    """A DeepOBS 1.2 file; the error is 1 less the final accuracy."""
    curve = [error + (0.9 - error) * 0.3**epoch for epoch in range(epochs + 1)]
    run = {
        "testproblem": problem,
        "optimizer_name": optimizer,
        "optimizer_hyperparams": hyperparameters,
        "random_seed": seed,
        "batch_size": 10,
        "num_epochs": epochs,
        "weight_decay": 0.0,
        "training_params": {},
        **{f"{split}_losses": [3 * value for value in curve] for split in ("train", "valid", "test")},
        **{f"{split}_accuracies": [1 - value for value in curve] for split in ("train", "valid", "test")},
        "minibatch_train_losses": [],
        **keys,
    }
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    (folder / f"run_{number}__random_seed__{seed}__2024-01-01-00-00-00.json").write_text(json.dumps(run))


def write_entry(folder, problem, optimizer, error, seed=0, trials=10, reruns=6, searched=(), **keys):
    """A search over the learning rate and other hyperparameters, and re-runs of its winner."""
    generator = np.random.default_rng(seed)
    rates = np.geomspace(1e-3, 1, trials)
    found = []
    for rate in rates:
        others = {name: float(generator.uniform(0.01, 0.1)) for name in searched}
        worse = 0.01 * np.log10(rate / 0.1) ** 2
        found.append((error + worse, {"learning_rate": float(rate), **others}))
        write_run(folder, problem, optimizer, found[-1][1], 42, found[-1][0], **keys)
    _, winner = min(found, key=lambda one: one[0])
    for again in range(reruns):
        write_run(folder, problem, optimizer, winner, 43 + again, error + generator.normal(0, 0.004), **keys)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two problems, one with hostile names; one entry by other rules; decay that is searched; a stray file."""
    folder = tmp_path_factory.mktemp("trees") / "results"
    for number, name in enumerate([*HOSTILE, "sgd", "winning"]):
        for problem in ("plain_problem", HOSTILE_PROBLEM):
            error = {"winning": 0.01, "sgd": 0.011}.get(name, 0.1 + 0.02 * number)
            searched = [HOSTILE_PARAMETER] if name == "sgd" else []
            write_entry(folder / str(number), problem, name, error, number, searched=searched)
    write_entry(folder / "decay", "plain_problem", "decaying", 0.2, 20, searched=["weight_decay_opt"])
    write_entry(folder / "longer", "plain_problem", "run_longer", 0.05, 21, epochs=7)
    (folder / ".DS_Store").write_text("stray")
    return folder


@pytest.fixture(scope="module")
def comparison(tree):
    return compare(results=[tree], baselines="none")


@pytest.fixture(scope="module")
def path(comparison, tmp_path_factory):
    path = tmp_path_factory.mktemp("reports") / "report.html"
    write(comparison, path, command=COMMAND, moment=MOMENT)
    return path


@pytest.fixture(scope="module")
def text(path):
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """What elements, attributes and text a page has, and whether its elements are nested as they must be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts, self.badly_nested = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.badly_nested.append((tag, self.getpos()))

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def shown(self, *without):
        return "".join(data for tag, data in self.texts if tag not in ("script", "style", *without))


@pytest.fixture(scope="module")
def read(text):
    return Reader(text)


def test_page_has_its_sections_in_order_and_links_to_each(read):
    sections = [one["id"] for one in read.named("section") if one["id"] in SECTIONS]
    assert sections == SECTIONS
    links = {one["href"] for one in read.named("a")}
    assert {f"#{name}" for name in SECTIONS} <= links


def test_page_shows_every_entry_claim_figure_and_warning(read, comparison):
    shown = read.shown()
    for label in comparison.table["label"]:
        assert label in shown
    for sentence in [*comparison.claims["sentence"], *comparison.warnings, comparison.ranks.sentence]:
        assert sentence in shown
    for ridge in comparison.ridges.values():
        assert ridge.sentence in shown
    names = [name for name, _ in draw(comparison)]
    assert len(names) > 8
    assert len(read.named("figure")) == len(names)
    for name in names:
        assert name in CAPTIONS or name.startswith(MAP_PREFIX)
        assert name not in CAPTIONS or CAPTIONS[name].text in shown


def test_title_of_a_problem_tells_the_size_of_its_test_set():
    rules = {"batch_size": 64, "metric": "accuracy", "split": "test", "goal": "maximize", "comparable": True}
    rows = [rules | {"problem": "digits_mlp", "protocol": "deepobs"}]
    rows += [rows[0] | {"protocol": "strict", "comparable": False}]
    assert title(pd.DataFrame(rows)) == "test accuracy, higher is better; 256 images, 1 image = 0.39 points"
    other = [rows[0] | {"problem": "nobody_knows_it"}]
    assert title(pd.DataFrame(other)) == "test accuracy, higher is better"


def test_average_ranks_tell_which_entries_are_better_than_which():
    means = {"a": 1.0, "b": 2.0, "c": 3.0}
    values = [(f"p{number}", label, mean) for number in range(8) for label, mean in means.items()]
    table = pd.DataFrame(values, columns=["problem", "label", "score"]).assign(goal="minimize", comparable=True, rank=1)
    shown = across(SimpleNamespace(ranks=average_ranks(table)))
    assert shown.level == "5 %"
    rows = [[cell.text for cell in row.cells] for row in shown.ranks.rows]
    assert rows == [["a", "1", "b, c"], ["b", "2", "c"], ["c", "3", ""]]


def test_claims_come_first_where_they_are_supported(read, comparison):
    claimed = comparison.claims["claimed"].astype(bool)
    assert claimed.any()
    assert not claimed.all()
    shown = read.shown()
    last = max(shown.index(sentence) for sentence in comparison.claims.loc[claimed, "sentence"])
    first = min(shown.index(sentence) for sentence in comparison.claims.loc[~claimed, "sentence"])
    assert last < first


def test_entry_by_other_rules_is_shown_apart_with_the_reason(read, comparison):
    (apart,) = comparison.table.loc[~comparison.table["comparable"]].to_dict("records")
    assert apart["label"] == "run_longer"
    assert f"Apart: {apart['label']}: {apart['note']}." in read.shown()


def test_irregular_file_is_counted_with_its_rule(read):
    assert "stray file1no result file by its name; it is not opened.DS_Store" in read.shown().replace("\n", "")


def test_page_says_where_it_comes_from(read, comparison):
    shown = read.shown()
    assert "regbench compare --results 'a <b> & c\\x1b'" in shown
    assert "2026-01-02 03:04:05 UTC" in shown
    assert provenance.digest(comparison.runs) in shown
    for package, number in provenance.versions().items():
        assert f"{package} {number}" in shown


def test_page_is_well_formed(read, text):
    assert text.startswith("<!DOCTYPE html>\n")
    assert read.badly_nested == []
    assert read.open == []


def test_page_is_valid_by_the_algorithm_of_browsers(text):
    html5lib = pytest.importorskip("html5lib", reason="it is in no extra of the package that is installed here")
    parser = html5lib.HTMLParser()
    parser.parse(text)
    assert parser.errors == []


def test_identifiers_are_unique_and_references_lead_somewhere(read, text):
    identifiers = [one["id"] for _, one in read.elements if "id" in one]
    assert len(identifiers) == len(set(identifiers))
    references = {value for _, one in read.elements for value in [one.get("href") or ""] if value.startswith("#")}
    references |= {f"#{name}" for name in re.findall(r"url\(#([^)]+)\)", text)}
    assert references
    assert references <= {f"#{name}" for name in identifiers}


def test_nothing_of_the_page_comes_from_elsewhere(read, text):
    assert {"link", "iframe", "object", "embed", "base", "form", "audio", "video"}.isdisjoint(
        tag for tag, _ in read.elements
    )
    for _, attributes in read.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    style = "".join(data for tag, data in read.texts if tag == "style")
    assert "@import" not in style
    assert set(re.findall(r"url\((.)", style)) <= {"#"}


def test_policy_allows_the_script_for_sorting_and_nothing_else(read):
    policy = next(one["content"] for one in read.named("meta") if "http-equiv" in one)
    assert "default-src 'none'" in policy
    assert len(read.named("script")) == 1
    script = "".join(data for tag, data in read.texts if tag == "script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.search(r"script-src ([^;]*)", policy)[1] == f"'sha256-{digest}'"


def test_names_from_files_are_shown_and_never_executed(read, comparison):
    labels = set(comparison.table["label"])
    assert sum(name.startswith(("<script>", '">', "ééé", "tab\\t", "{{ 7", "$")) for name in labels) == len(HOSTILE)
    assert HOSTILE_PROBLEM in read.shown()
    for tag, attributes in read.elements:
        assert tag != "img"
        assert not any(name.startswith("on") for name in attributes)
    assert not any(character != "\n" and not character.isprintable() for character in read.shown())


def test_hyperparameter_with_a_hostile_name_is_shown(read):
    assert "../<svg onload=alert(3)>\\x07" in read.shown()


def test_every_row_of_a_table_has_a_cell_for_each_heading(text):
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) > 6
    for table in tables:
        headings = table.count("<th ")
        rows = re.findall(r"<tr[^>]*><td.*?</tr>", table, re.DOTALL)
        assert rows
        assert {row.count("<td") for row in rows} == {headings}
        for order in re.findall(r'data-order="([^"]+)"', table):
            assert np.isfinite(float(order)) or float(order) == np.inf


def test_same_comparison_gives_the_same_bytes(comparison, path, tmp_path):
    write(comparison, tmp_path / "again.html", command=COMMAND, moment=MOMENT)
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_other_process_gives_the_same_bytes(tree, path, tmp_path):
    program = (
        "import sys\n"
        "from datetime import datetime\n"
        "import regbench\n"
        "from regbench.report import write\n"
        "found = regbench.compare(results=[sys.argv[1]], baselines='none')\n"
        "write(found, sys.argv[2], command=sys.argv[3], moment=datetime.fromisoformat(sys.argv[4]))\n"
    )
    # Sets and dicts of texts have another order there.
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    arguments = [tree, tmp_path / "other.html", COMMAND, MOMENT.isoformat()]
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, env=environment)
    assert (tmp_path / "other.html").read_bytes() == path.read_bytes()


@pytest.fixture
def smallest(tmp_path):
    write_run(tmp_path / "results", "alone", "sgd", {"learning_rate": 0.1}, 42, 0.2)
    return compare(results=[tmp_path / "results"], baselines="none")


def test_single_run_has_a_page(smallest, tmp_path):
    write(smallest, tmp_path / "new" / "folders" / "report.html")
    read = Reader((tmp_path / "new" / "folders" / "report.html").read_text())
    assert "1 entry on 1 problem" in read.shown()
    assert "called from Python" in read.shown()
    assert [path.name for path in (tmp_path / "new" / "folders").iterdir()] == ["report.html"]


def test_page_cannot_be_written_to_the_root_folder(smallest):
    with pytest.raises(ResultsError, match="it is no plain file"):
        write(smallest, "/")


@pytest.mark.parametrize("kind", ["folder", "below_a_file", "pipe"])
def test_page_that_cannot_be_written_is_one_line(smallest, tmp_path, kind):
    path = tmp_path / "report.html"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("a file")
        path = path / "report.html"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ResultsError, match=r"report\.html: the report cannot be written here") as caught:
        write(smallest, path)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_page_that_fails_leaves_the_old_one(smallest, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(page_module.provenance, "digest", fail)
    with pytest.raises(KeyboardInterrupt):
        write(smallest, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["report.html"]


def test_page_behind_a_link_is_replaced_where_it_lies(smallest, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "report.html").symlink_to(tmp_path / "there" / "page.html")
    write(smallest, tmp_path / "report.html")
    assert (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "there" / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_digest_depends_on_the_runs_alone(comparison):
    runs = comparison.runs
    digest = provenance.digest(runs)
    moved = runs.sample(frac=1, random_state=0).assign(source="elsewhere", file="other.json", label="x")
    assert provenance.digest(moved) == digest
    for column, value in (("seed", 7), ("final_test_accuracy", 0.123), ("setting", "{}")):
        changed = runs.copy()
        changed.loc[changed.index[0], column] = value
        assert provenance.digest(changed) != digest
    assert provenance.digest(runs.iloc[1:]) != digest


def test_command_is_named_only_where_it_is_ours(monkeypatch):
    for program in ("/usr/bin/regbench", "/somewhere/regbench/__main__.py"):
        monkeypatch.setattr(sys, "argv", [program, "compare", "--report", "a b.html"])
        assert provenance.called() == "regbench compare --report 'a b.html'"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/notebook", "-f", "kernel.json"])
    assert provenance.called() == "called from Python"


@pytest.mark.slow
def test_page_of_four_problems_and_twelve_candidates_is_below_three_and_a_half_megabytes(tmp_path):
    for problem in range(4):
        for candidate in range(12):
            searched = [[], ["weight_decay_opt"], ["momentum"]][candidate % 3]
            where = tmp_path / "results" / f"{problem}_{candidate}"
            number = 12 * problem + candidate
            error = 0.1 + 0.01 * candidate
            write_entry(
                where, f"problem_{problem}", f"candidate_{candidate}", error, number, 50, 9, searched, epochs=100
            )
    write(compare(results=[tmp_path / "results"], baselines="none"), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3.5e6


def test_figures_of_papers_are_linked_from_where_the_page_lies(smallest, tmp_path):
    folder = tmp_path / "my figures" / "quick" / "orthogonal"
    folder.mkdir(parents=True)
    (folder / "digits_2c2d.svg").write_text("<svg/>")
    (folder / "digits_2c2d.txt").write_text("Deviation <over> the factor\n\nShown: ...\n")
    (folder / "without_picture.txt").write_text("Nothing\n")
    page = tmp_path / "pages" / "page.html"
    write(smallest, page, figures=tmp_path / "my figures")
    text = page.read_text(encoding="utf-8")
    link = "../my%20figures/quick/orthogonal/digits_2c2d"
    assert f'orthogonal, quick: <a href="{link}.svg">Deviation &lt;over&gt; the factor</a>' in text
    assert f'(<a href="{link}.txt">caption</a>)' in text
    assert "without_picture" not in text
    assert (page.parent / unquote(f"{link}.svg")).is_file()


def test_page_without_figures_of_papers_has_no_section_for_them(smallest, tmp_path):
    write(smallest, tmp_path / "page.html", figures=tmp_path / "nowhere")
    assert "Figures of the papers" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_seconds_of_steps_across_frameworks_are_labelled(smallest, tmp_path, monkeypatch):
    write(smallest, tmp_path / "one.html")
    assert "Seconds across frameworks" not in (tmp_path / "one.html").read_text(encoding="utf-8")
    cards = pd.DataFrame(
        {"candidate": ["adam", "torch_adamw", "optax_adamw", "nobodys"], "step_seconds": [0.1, 0.2, np.nan, 0.3]}
    )
    assert scrutiny.on_seconds(SimpleNamespace(cards=cards)) == (
        "Seconds across frameworks compare implementations, not methods (Keras: adam; PyTorch: torch_adamw)."
    )
    monkeypatch.setattr(scrutiny, "on_seconds", lambda comparison: "they are of several")
    write(smallest, tmp_path / "several.html")
    assert "<p>they are of several</p>" in (tmp_path / "several.html").read_text(encoding="utf-8")
