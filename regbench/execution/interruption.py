"""What Ctrl-C and SIGTERM do to a search."""

import os
import signal
import threading
from types import FrameType
from typing import Any, Self


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a batch system or a machine that goes down gives a few seconds."""


_entered: list["Interruptions"] = []
"""Those around what runs now, the outermost first."""


class Interruptions:
    """While this context is entered, Ctrl-C and SIGTERM are noted, and acted upon where nothing can be harmed.

    Ctrl-C once: no further run begins, those that run are finished and kept. Ctrl-C again, or SIGTERM: stop now.
    An exception alone would not do: where Python happens to run a destructor at that moment, it swallows it.

    Args:
        finish: let the first Ctrl-C finish what runs; else it stops at once.

    Attributes:
        computing: there are runs that could be finished.
        finishing: no further run may begin.
        stop: what was raised to stop at once, also where something has swallowed it.
    """

    def __init__(self, finish: bool = False) -> None:
        """Watch nothing yet."""
        self.computing = False
        self.finishing = False
        self._finish = finish
        self.stop: KeyboardInterrupt | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        _entered.append(self)
        if threading.current_thread() is threading.main_thread():  # no other may say what signals do
            for number, handler in ((signal.SIGINT, self._interrupt), (signal.SIGTERM, self._terminate)):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as for background jobs of a shell
                    self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        _entered.remove(self)
        while self._before:
            signal.signal(*self._before.popitem())

    def heed_no_more(self) -> None:
        """What comes from now on, while the end is told, changes nothing."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """Raise what was asked for, here or of those around this one, where that has not happened yet.

        A library that is loaded may have swallowed what was raised before this context was entered.

        Raises:
            KeyboardInterrupt: stop now.
        """
        for one in _entered:
            if one.stop is not None:
                raise one.stop
        if self.stop is not None:
            raise self.stop

    def check_finished(self) -> None:
        """Raise what was asked for, when nothing runs any more.

        Raises:
            KeyboardInterrupt: an interruption came.
        """
        self.check()
        if self.finishing:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._finish and self.computing and not self.finishing:
            self.finishing = True
            # Python's streams must not be entered again from a signal handler.
            os.write(2, b"\nregbench: interrupted: what runs is finished first; Ctrl-C again stops now\n")
            return
        self._stop_with(KeyboardInterrupt())

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_with(Terminated())

    def _stop_with(self, error: KeyboardInterrupt) -> None:
        self.finishing = True
        self.stop = error
        raise error
