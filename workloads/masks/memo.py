"""What was counted of a mask, kept while the mask lives: one memo for all that count.

A search for a tile, and the runs after it, ask for the same counts again and again.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from workloads.masks.packed import PackedMask
from workloads.support.kept import Kept

_MAX_BYTES_PER_MASK = 32 << 20
_Value = TypeVar("_Value")
_memos: WeakKeyDictionary[PackedMask, Kept[Any]] = WeakKeyDictionary()


def counted(mask: PackedMask, key: Hashable, count: Callable[[], _Value]) -> _Value:
    """A count of a mask, made once.

    Args:
        mask: What is counted.
        key: What of it; the first entry names the kind of count.
        count: Called if it is not kept. An array is given out read-only.
    """
    value: _Value = memo_of(mask).get(key, lambda: _frozen(count()))
    return value


def memo_of(mask: PackedMask) -> Kept[Any]:
    """All that is kept of a mask."""
    if mask not in _memos:
        _memos[mask] = Kept(_MAX_BYTES_PER_MASK, lambda value: getattr(value, "nbytes", 64))
    return _memos[mask]


def _frozen(value: _Value) -> _Value:
    if hasattr(value, "flags"):
        value.flags.writeable = False
    return value
