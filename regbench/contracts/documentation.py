"""What a docstring must hold, whatever the class is."""

from __future__ import annotations

import re

from regbench.contracts.subject import Subject
from regbench.contracts.verdicts import Clause, ViolationError

# A link or an identifier anywhere, or a year under a heading "Reference" or "References".
_SOURCE = re.compile(r"https?://|\barxiv\b|\bdoi\b|^\s*references?\b.*?\b(?:18|19|20)\d\d\b", re.I | re.M | re.S)


def _docstring(subject: Subject) -> str:
    """That of the class and of its constructor, not of its bases."""
    constructor = vars(subject.target).get("__init__")
    return "\n".join(filter(None, (subject.target.__doc__, getattr(constructor, "__doc__", None))))


def _documents_arguments(subject: Subject) -> None:
    docstring = _docstring(subject)
    # Google ("name: ..."), NumPy ("name : type") and Sphinx (":param name: ..."), also several names divided by commas.
    entry = r"^\s*(?::param )?(?:\w+, ?)*{}(?:, ?\w+)*\s*(?:\([^)\n]*\))?\s*:"
    absent = [name for name in subject.parameters if not re.search(entry.format(re.escape(name)), docstring, re.M)]
    if absent:
        raise ViolationError(f"the docstring has no entry for {', '.join(f'`{name}`' for name in absent)}")


def _cites_source(subject: Subject) -> None:
    if not _SOURCE.search(_docstring(subject)):
        raise ViolationError("the docstring has no link, no arXiv or DOI number, no year under the heading `Reference`")


CLAUSES = (
    Clause(
        "documents_arguments",
        "the docstring has an entry for every argument of the constructor",
        _documents_arguments,
        is_style=True,
    ),
    Clause("cites_source", "the docstring says where the method comes from", _cites_source, is_style=True),
)
