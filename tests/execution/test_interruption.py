"""What Ctrl-C does where something has swallowed it."""

import contextlib
import os
import signal

import pytest

from regbench.execution import Interruptions


def test_interruption_that_a_library_swallowed_before_the_search_began_stops_it():
    with Interruptions() as around:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert around.stop is not None
        with Interruptions(finish=True) as inner, pytest.raises(KeyboardInterrupt):
            inner.check()
    with Interruptions() as later:
        later.check()  # what is over is forgotten
