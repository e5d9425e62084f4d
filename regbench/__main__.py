"""Run `python -m regbench` as the command `regbench`."""

import sys

from regbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
