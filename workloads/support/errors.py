"""The one error that a user can mend: bad input, said in one sentence.

The command line turns it into exit code 2; libraries may catch it as a ``ValueError``.
"""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used; the message names the file or field and what would be accepted."""


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
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InputError(f"unknown {kind} {name!r}: {hint}known: {', '.join(names)}")
