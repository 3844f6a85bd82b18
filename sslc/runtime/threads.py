"""Calling a kernel here and on threads that help.

A kernel shares its rows by counters, so the caller returns as soon as all rows are done, whether or
not a helper came in time; a late one finds nothing left to do.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from queue import SimpleQueue

from sslc.runtime.emit import Kernel
from sslc.runtime.kernel_parts import COUNTERS, Argument

_Numbers = ctypes.Array[ctypes.c_int64]
_Task = tuple[Kernel, _Numbers, _Numbers]

_COUNTERS = ctypes.c_int64 * COUNTERS
_ARGUMENTS = ctypes.c_int64 * len(Argument)


def ordered(arguments: Mapping[Argument, int]) -> list[int]:
    """Arguments by their place, 0 where one is missing."""
    return [arguments.get(argument, 0) for argument in Argument]


def run_kernel(function: Kernel, arguments: Sequence[int], *, threads: int = 1) -> None:
    """Call a kernel; returns when all rows are done.

    Args:
        function: Takes the address of its arguments.
        arguments: In the order of ``Argument``; the counters are put in.
        threads: That share the work, this one included.
    """
    counters, values = _COUNTERS(), _ARGUMENTS(*arguments)
    values[Argument.COUNTERS] = ctypes.addressof(counters)
    for _ in range(threads - 1):
        _tasks(os.getpid()).put((function, values, counters))
    function(ctypes.addressof(values))


@functools.cache
def _tasks(_process: int) -> "SimpleQueue[_Task]":
    """What helpers are to call; a forked process makes its own."""
    tasks: SimpleQueue[_Task] = SimpleQueue()
    for _ in range(max(1, (os.cpu_count() or 1) - 1)):
        threading.Thread(target=_help, args=(tasks,), name="sslc-runtime", daemon=True).start()
    return tasks


def _help(tasks: "SimpleQueue[_Task]") -> None:
    while True:
        function, values, counters = tasks.get()
        function(ctypes.addressof(values))
        del function, values, counters
