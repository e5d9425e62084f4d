"""Figures: one file each, all in the style of `style.py`. matplotlib and seaborn live here only."""
