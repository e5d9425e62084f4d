"""What regbench writes: the results tree, its format, and files that appear whole or not at all."""
