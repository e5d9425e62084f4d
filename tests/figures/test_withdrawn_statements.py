"""What captions and documents must not say any more, as it is not so (docs/seeds.md), and what they say instead."""

import re
from pathlib import Path

import pytest

from regbench import figures
from regbench.figures.plan import Size

ROOT = Path(__file__).resolve().parents[2]
CAPTIONS = {
    f"{paper}/{figure.name}/{size}": " ".join([figure.title, figure.shows, figure.source, *figure.departures])
    for paper in figures.PAPERS
    for size in Size
    for figure in figures.of_paper(paper, size)
}
DOCUMENTS = {path.name: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
MODULES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in ("figures", "regularizers", "models", "optimizers")
    for path in (ROOT / "regbench" / folder).glob("*.py")
}
WITHDRAWN = {
    "the source of orthogonal regularization reports gains": r"no (figures or )?numbers to compare with",
    "98.40 % is no run without the penalty": r"98\.40? % without",
    "no gain of 0.34 was measured by anyone": r"\+0\.34",
    "the sum of likelihoods over slices is not that of larger images": r"(saw|have) larger images",
    "likelihoods of the second and third layer are per slice": r"289\.35|413\.26|621\.47|828\.05",
    "the convex instance comes from a seed": r"gives no seeds",
    "independence of the learning rate is an artefact": r"independent of the learning rate(?!.*artefact)",
    "kernels start from the Gaussian in an arm": r"not from the fitted Gaussian",
    "a gain that a size could not show is not absent": r"[Nn]ot shown:\*? a gain",
}


@pytest.mark.parametrize("why", WITHDRAWN)
def test_nothing_says_what_was_withdrawn(why):
    found = [
        f"{place}: {match.group()}"
        for place, text in (CAPTIONS | DOCUMENTS | MODULES).items()
        if (match := re.search(WITHDRAWN[why], " ".join(text.split())))
    ]
    assert found == [], why


def test_statements_that_were_withdrawn_would_be_found():
    old = (
        "No figures or numbers to compare with. test accuracy 98.74 % with, 98.40 % without. whose kernels saw larger "
        "images. conv2 289.35. The source gives no seeds and one run. Not shown:* a gain. (source +0.34) Kernels start "
        "as Keras starts them, not from the fitted Gaussian. Its ends are independent of the learning rate."
    )
    missed = [why for why, pattern in WITHDRAWN.items() if not re.search(pattern, old, re.I)]
    assert missed == []


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ("eigenvalue/mnist_gain", ["docstring of Keras's own example", "seed 1337", "98.74 % is one run"]),
        ("orthogonal/digits_2c2d", ["4.16 and 3.60", "factor 1e-3"]),
        ("orthogonal/digits_2c2d_schedule", ["7.11 and 5.46", "weight decay"]),
        ("normalized/convex_rates", ["artefact", "RMSprop", "sqrt(a + epsilon)"]),
        ("normalized/convex_source", ["numpy.random.seed(0)", "-186.5157", "artefact"]),
        ("normalized/mnist_deep_mlp", ["training curves", "plain Adam", "he_normal"]),
        ("normalized/cifar10_cnn", ["training curves", "stretches one axis"]),
        ("skreg/mnist_likelihood", ["nats a sample", "57.87 / 82.65", "5 and 10 slices"]),
        ("skreg/mnist_gain", ["differ in three things", "not corrected", "settled beforehand"]),
    ],
)
def test_captions_say_what_is_so(figure, words):
    for size in Size:
        for word in words:
            assert word in CAPTIONS[f"{figure}/{size}"]


def plain(text):
    """Small letters and single spaces, as names of tests are when read."""
    return " ".join(re.sub(r"[_-]", " ", text.lower()).split())


def test_every_row_of_the_table_names_a_test_that_exists():
    tests = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")}
    sentences = plain(" ".join(tests.values()))
    rows = [
        line for line in DOCUMENTS["seeds.md"].splitlines() if line.startswith("| ") and not line.startswith("| source")
    ]
    assert len(rows) > 20
    for row in rows:
        last = row.strip("| ").rpartition("|")[2].strip()
        for file in re.findall(r"`(test_\w+\.py)`", last):
            assert file in tests, row
        for sentence in re.split(r"[;:]", re.sub(r"`test_\w+\.py`,?", "", last)):
            words = sentence.strip().removesuffix("...").strip()
            assert words in ("", "the same") or plain(words) in sentences, row
