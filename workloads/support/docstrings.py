"""What a dataclass says of itself in its docstring, for lists and references."""

import inspect
import re

_TITLE = "Attributes:"
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def summary(cls: type) -> str:
    """The first sentence of a class's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")


def attribute_docs(cls: type) -> dict[str, str]:
    """What the section ``Attributes:`` of a class's docstring says of each, in one line each.

    Args:
        cls: A class with a docstring in Google's style.
    """
    found: dict[str, str] = {}
    name = ""
    for line in _section((inspect.getdoc(cls) or "").split("\n")):
        start = _ATTRIBUTE.match(line)
        if start:
            name, found[start[1]] = start[1], start[2]
        elif name:
            found[name] += " " + line.strip()
    return found


def _section(lines: list[str]) -> list[str]:
    """The lines under the title, less four spaces of indentation."""
    if _TITLE not in lines:
        return []
    section = []
    for line in lines[lines.index(_TITLE) + 1 :]:
        if line and not line.startswith("    "):
            break
        section.append(line[4:])
    return [line for line in section if line]
