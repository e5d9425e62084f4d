"""The data sets: what they are, where their files lie, how they are read, and how they are fetched.

One file a data set: its record `DATASET` (plain data) and `read`, which turns its files into arrays.
Importing this package loads the standard library only; NumPy is imported by the readers, when they read.
"""

from regbench.datasets.checks import Finding, State, status, verify
from regbench.datasets.dataset import DataFile, Dataset, Download, RawData
from regbench.datasets.fetching import fetch, published
from regbench.datasets.folders import data_folders
from regbench.datasets.registry import get, load, locate, names, stamp

__all__ = [
    "DataFile",
    "Dataset",
    "Download",
    "Finding",
    "RawData",
    "State",
    "data_folders",
    "fetch",
    "get",
    "load",
    "locate",
    "names",
    "published",
    "stamp",
    "status",
    "verify",
]
