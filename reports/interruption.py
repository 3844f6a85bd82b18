"""Ctrl-C and SIGTERM: one line that says what is finished and how to go on, within two seconds.

Python runs signal handlers between its own instructions, and a matrix product can take minutes. So
the handler unwinds what it can, and a thread that the operating system wakes ends the process if
that takes too long. Whatever is on disk is whole at any moment (``workloads.support.files``).
"""

import atexit
import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from reports.console import last_step

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_UNWIND = 1.0
_SHOW_CURSOR = "\x1b[?25h"
_GO_ON = {
    "compress": "the same command with --resume goes on from there",
    "recover": "the same command with --resume goes on from its last checkpoint",
    "sweep": "the same command again goes on from there; finished batches stay",
    "reproduce": "the same command again goes on from there; finished cells stay",
    "run": "the same command again goes on from there; finished stages stay",
    "demo": "the same command again goes on from there; finished artifacts stay",
}
_AGAIN = "nothing is half written; run the same command again"


class Interrupted(BaseException):
    """A signal asked the command to end.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end(number: int) -> NoReturn:
    """Say what is finished and leave with the exit code of the signal: 130 or 143.

    What libraries registered for the exit is run; their native threads are not waited for, and
    Python does not take itself down around them, which can abort the process instead.
    """
    _say(number)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(128 + number)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Answer signals while something runs; the caller meets ``Interrupted`` with ``end``.

    A signal that is ignored, as of a job in the background, stays so. Only the main thread can
    answer signals; in another nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    answered = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    handlers = {number: signal.signal(number, _unwind) for number in answered}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    interrupted = False
    try:
        yield
    except Interrupted:
        interrupted = True
        raise
    finally:
        if not interrupted:
            signal.set_wakeup_fd(wakeup)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(writer)


def _unwind(number: int, frame: FrameType | None) -> None:
    del frame
    for other in _SIGNALS:
        signal.signal(other, _pass)
    raise Interrupted(number)


def _pass(number: int, frame: FrameType | None) -> None:
    """The command is ending already; the thread that watches ends it at once."""
    del number, frame


def _watch(reader: int) -> None:
    """Wait for a signal, then for the process to end; end it on a second one or when time is up."""
    numbers = os.read(reader, 1)
    while numbers and numbers[0] not in _SIGNALS:
        numbers = os.read(reader, 1)
    if not numbers:
        os.close(reader)
        return
    select.select([reader], [], [], _SECONDS_TO_UNWIND)
    _say(numbers[0])
    os._exit(128 + numbers[0])


_said = threading.Lock()


def _say(number: int) -> None:
    if not _said.acquire(blocking=False):
        return
    command = next((word for word in sys.argv[1:] if word[0:1] != "-"), "")
    how = _AGAIN if "--dry-run" in sys.argv else _GO_ON.get(command, _AGAIN)
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
    step = last_step()
    where = f" at {step}" if step else " before the first step"
    name = signal.Signals(number).name
    print(f"{cursor}sslc: ended by {name}{where}; {how}", file=sys.stderr, flush=True)
