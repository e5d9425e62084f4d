"""Which settings a search tries.

`space` says what a candidate searches and what a setting makes of it; `draws` holds the points of a budget that are
known before the first run; `tune` is the search itself, `journal` writes searches as a file of Optuna's: these two
alone need Optuna.
"""
