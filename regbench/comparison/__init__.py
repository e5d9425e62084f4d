"""A comparison: results trees in; ranked entries, claims, figures and tables out."""

from regbench.comparison.comparison import CONFIDENCE, LEVEL, Comparison, compare, load
from regbench.comparison.two_entries import power

__all__ = ["CONFIDENCE", "LEVEL", "Comparison", "compare", "load", "power"]
