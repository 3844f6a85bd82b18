"""Values kept for those who ask again: the ones used last, up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A bounded memo of anything but None; the value used last stays, however large it is.

    Args:
        max_bytes: Of all values together.
        size_bytes: Of one value.
    """

    def __init__(self, max_bytes: int, size_bytes: Callable[[Value], int]):
        self._max_bytes = max_bytes
        self._size_bytes = size_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made unless it is kept.

        Args:
            key: All that decides the value.
            make: Called if none is kept; may ask for other keys.
        """
        kept = self._values.get(key)
        if kept is not None:
            self._values.move_to_end(key)
            return kept
        value = make()
        self._values[key] = value
        self._bytes += self._size_bytes(value)
        while self._bytes > self._max_bytes and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self._bytes -= self._size_bytes(dropped)
        return value

    def clear(self) -> None:
        """Keep nothing."""
        self._values.clear()
        self._bytes = 0
