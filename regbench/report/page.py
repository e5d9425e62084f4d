"""The page as text: its data put into the template, with a policy that allows no other script than its own."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from regbench.comparison import CONFIDENCE, LEVEL
from regbench.errors import printable
from regbench.plots.panels import in_order
from regbench.report import overview, provenance, results, scrutiny
from regbench.report.cells import COUPLING_RULES, spoken
from regbench.report.figures import PageFigure, figures
from regbench.report.papers import LinkedFigure

if TYPE_CHECKING:
    from regbench.comparison import Comparison

SCRIPT, STYLE, PAGE = "sort.js", "page.css", "page.html"


def render(comparison: "Comparison", *, command: str, moment: datetime, papers: Sequence[LinkedFigure] = ()) -> str:
    """The page of a comparison, with links to figures of papers."""
    script = _source(SCRIPT)
    drawn: dict[str, list[PageFigure]] = defaultdict(list)
    for figure in figures(comparison):
        drawn[figure.caption.section].append(figure)
    template = _templates().get_template(PAGE)
    return template.render(
        **_content(comparison),
        figures=drawn,
        script=Markup(script),  # noqa: S704 - a file of ours
        style=Markup(_source(STYLE)),  # noqa: S704 - a file of ours
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        papers=papers,
        command=command,
        moment=moment.astimezone(UTC),
        versions=provenance.versions(),
        digest=provenance.digest(comparison.runs),
    )


def _content(comparison: "Comparison") -> dict[str, Any]:
    couplings = in_order(comparison.table["coupling"])
    return {
        "overview": overview.overview(comparison),
        "warnings": comparison.warnings,
        "departures": overview.DEPARTURES,
        "best": comparison.best_sentences,
        "claims": results.claims(comparison),
        "problems": results.problems(comparison),
        "across": results.across(comparison),
        "by_coupling": results.by_coupling(comparison),
        "couplings": {spoken(word): COUPLING_RULES[word] for word in couplings if word in COUPLING_RULES},
        "ridges": scrutiny.ridges(comparison),
        "cards": scrutiny.cards(comparison),
        "on_seconds": scrutiny.on_seconds(comparison),
        "strength": scrutiny.strength(comparison),
        "tuning": scrutiny.tuning(comparison),
        "irregular": scrutiny.irregular(comparison),
        "level": LEVEL,
        "confidence": CONFIDENCE,
    }


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("regbench.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(value: Any) -> Any:
    """The text with escapes in place of control characters and of marks that turn text around."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


def _source(file: str) -> str:
    return files(__package__).joinpath("templates", file).read_text(encoding="utf-8")
