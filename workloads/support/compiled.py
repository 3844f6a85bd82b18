"""The one decorator for numba: compiled on first use, kept in numba's cache, typed for mypy."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core import event

from workloads.support.progress import compiling

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Compiled functions here never make an array, so numba need not count references: counting takes
# 50 times as long as all the rest of the machine. ``_nrt`` is numba's own name for it; if numba
# dropped it, importing this module would be an error. LLVM inlines; numba's own inlining would type
# and lower a function again at each call, and compiling would take twice as long.
_OPTIONS: dict[str, Any] = {"cache": True, "forceinline": True, "nogil": True, "_nrt": False}
compiled: Callable[[_Function], _Function] = numba.njit(**_OPTIONS)


class _Compiling(event.Listener):
    """Tells of every function that numba's cache does not have."""

    def on_start(self, event: event.Event) -> None:
        del event
        compiling()

    def on_end(self, event: event.Event) -> None:
        del event


event.register("numba:compile", _Compiling())  # type: ignore[no-untyped-call]
