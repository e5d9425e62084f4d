"""The command `regbench`, also as `python -m regbench`."""

# What `signal` wraps: its own imports take longer than all others until signals are answered.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the command that was given; Ctrl-C and SIGTERM are answered from the first moment on.

    Returns:
        The exit code.
    """
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
    for number in heeded:
        signal.signal(number, _end_before_the_beginning)
    import shlex  # noqa: F401  the answer needs it whole

    signal.pthread_sigmask(signal.SIG_UNBLOCK, heeded)
    from regbench.cli import main as run  # which takes a moment

    code = run()
    for number in heeded:
        signal.signal(number, signal.SIG_IGN)  # it is done; what the libraries still tidy up changes nothing
    return code


def _end_before_the_beginning(number: int, _frame: "FrameType | None") -> None:
    """End at once: an exception might be taken for a failed import."""
    import shlex

    command = shlex.join(["regbench", *sys.argv[1:]])
    os.write(2, f"regbench: interrupted: nothing was begun; begin again with: {command}\n".encode(errors="replace"))
    os._exit(128 + number)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python has put the working directory there, where a file in it would be run in the place of a library's.
        del sys.path[0]
    sys.exit(main())
