"""The command line. What is slow to import is imported by the commands that need it."""

import errno
import io
import shlex
import sys
from collections.abc import Sequence

import click

from regbench.cli import terminal
from regbench.cli.codes import BAD_INPUT, DONE, INTERRUPTED, SOME_FAILED, TERMINATED
from regbench.cli.commands import command_line
from regbench.engine import address_space
from regbench.errors import ClusterError, RegbenchError, printable
from regbench.execution import Interruptions, Terminated

__all__ = ["main"]

LACKS = {
    *(errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.ENOMEM),
}
_GOES_ON = "what was finished is kept, and the same command goes on from there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `regbench --help` says what the exit codes mean.

    Args:
        arguments: those of the command line unless given.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not stop anything.
            stream.reconfigure(errors="backslashreplace")
    address_space.guard()
    with Interruptions() as interruptions:
        try:
            code = command_line.main(args=arguments, prog_name="regbench", standalone_mode=False) or DONE
            interruptions.check()  # what comes while Python runs a destructor is swallowed
            return code
        except BaseException as error:
            interruptions.heed_no_more()
            stop = interruptions.stop or _interruption(error)
            code = _told(error) if stop is None else _told_interruption(stop, arguments)
            if code is None:
                raise
            return code


def _told(error: BaseException) -> int | None:
    """Tell in one line what was not to be done; gives the exit code, None for what is no fault of the input."""
    match error:
        case ClusterError():
            terminal.message(f"error: {error}; {_GOES_ON}")
            return SOME_FAILED
        case RegbenchError():
            terminal.message(f"error: {error}")
            return SOME_FAILED if _is_lack_of_the_machine(error) else BAD_INPUT
        case click.ClickException():
            terminal.message(f"error: {_described(error)}")
            return BAD_INPUT
        case OSError() | MemoryError() if _is_lack_of_the_machine(error):
            terminal.message(f"error: {_reason(error)}; {_GOES_ON}")
            return SOME_FAILED
    return None


def _is_lack_of_the_machine(error: BaseException) -> bool:
    """Whether it came of a disk, memory or descriptors that are full or broken, not of what was asked for."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in LACKS):
            return True
        cause = cause.__cause__
    return False


def _reason(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    place = f"{error.filename}: " if error.filename else ""
    return printable(f"{place}{error.strerror or error}")


def _interruption(error: BaseException) -> BaseException | None:
    interruption = error.__cause__ if isinstance(error, click.Abort) else error  # click wraps it
    return interruption if isinstance(interruption, KeyboardInterrupt) else None


def _told_interruption(error: BaseException, arguments: Sequence[str] | None) -> int:
    done = "".join(f"{note}; " for note in getattr(error, "__notes__", ()))
    command = shlex.join(["regbench", *(sys.argv[1:] if arguments is None else arguments)])
    terminal.message(f"interrupted: {done}{_GOES_ON}: {command}")
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def _described(error: click.ClickException) -> str:
    message = error.format_message()
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{sentence} Try `{context.command_path} --help`." if context else sentence
