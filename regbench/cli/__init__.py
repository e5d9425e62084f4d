"""The command line. What is slow to import is imported by the commands that need it."""

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from regbench.cli import terminal
from regbench.cli.codes import BAD_INPUT, DONE, INTERRUPTED, SOME_FAILED, TERMINATED
from regbench.cli.commands import command_line
from regbench.errors import ClusterError, RegbenchError
from regbench.execution import Terminated

__all__ = ["main"]

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
    _find_modules_in_working_directory()
    try:
        return command_line.main(args=arguments, prog_name="regbench", standalone_mode=False) or DONE
    except ClusterError as error:
        terminal.message(f"error: {error}; {_GOES_ON}")
        return SOME_FAILED
    except RegbenchError as error:
        terminal.message(f"error: {error}")
        return BAD_INPUT
    except click.ClickException as error:
        terminal.message(f"error: {_described(error)}")
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt) as error:
        terminal.message(f"interrupted: {_GOES_ON}")
        return TERMINATED if isinstance(error.__cause__, Terminated) else INTERRUPTED  # click wraps it


def _find_modules_in_working_directory() -> None:
    """Own classes (`my_module:MyOptimizer`) lie there; at the end of the path they hide no other module."""
    with contextlib.suppress(FileNotFoundError):  # the directory was removed: then there is nothing in it
        directory = str(Path.cwd())
        if not {"", directory} & set(sys.path):
            sys.path.append(directory)


def _described(error: click.ClickException) -> str:
    message = error.format_message()
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{sentence} Try `{context.command_path} --help`." if context else sentence
