"""The results tree: DeepOBS's folders and files, and one object `regbench` in each file."""
