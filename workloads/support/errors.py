"""The one error that a user can mend: bad input, said in one sentence.

The command line turns it into exit code 2; libraries may catch it as a ``ValueError``.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable

_LONGEST_MESSAGE = 2000
_LONGEST_VALUE = 80


class InputError(ValueError):
    """Input that cannot be used; the message names the file or field and what would be accepted.

    Names and values that come from files may hold anything: the message is one printable line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class InputWarning(UserWarning):
    """Input that can be used, but is probably not what was meant."""


def printable(text: str) -> str:
    """A text as one line without control characters, shortened in its middle.

    Args:
        text: Anything; line breaks become spaces, other control and format characters escapes.
    """
    line = re.sub(r"\s*[\n\r\u2028\u2029]\s*", " ", text)
    if not line.isprintable():
        line = "".join(c if c.isprintable() or c == "\u00a0" else _escape(c) for c in line)
    if len(line) <= _LONGEST_MESSAGE:
        return line
    half = _LONGEST_MESSAGE // 2
    return f"{line[:half]} … {line[-half:]}"


def _escape(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def shown(value: object) -> str:
    """A value for an error: as Python writes it, cut where it is long."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_VALUE:
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value[: _LONGEST_VALUE + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _LONGEST_VALUE + 2 else f"{text[:_LONGEST_VALUE]}…"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a catalogue, with the nearest names first.

    Args:
        kind: What the name should have been, such as ``"model"``.
        name: What the user wrote.
        known: Every accepted name.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name[:_LONGEST_VALUE], names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InputError(f"unknown {kind} {shown(name)}: {hint}known: {', '.join(names)}")


def check_count(name: str, value: int | None, most: int | None = None) -> None:
    """Refuse a number that was asked for and is not from 1 to a limit, if there is one.

    Args:
        name: What the caller called it.
        value: None: not asked for.
        most: The limit.

    Raises:
        InputError: It is less than 1 or above the limit.
    """
    if value is None:
        return
    if isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be at least 1, got {shown(value)}")
    if most is not None and value > most:
        raise InputError(f"{name} must be at most {most}, got {shown(value)}")
