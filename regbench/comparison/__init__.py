"""A comparison: results trees in; ranked entries, claims, figures and tables out."""

from regbench.comparison.comparison import CONFIDENCE, LEVEL, Comparison, compare, load

__all__ = ["CONFIDENCE", "LEVEL", "Comparison", "compare", "load"]
