"""What a dataclass says about itself: a line, and a line for each attribute."""

import inspect
import re

_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def summary(cls: type) -> str:
    """The first sentence of a class's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")


def attribute_docs(cls: type) -> dict[str, str]:
    """What the section ``Attributes:`` of a class's docstring says of each.

    Args:
        cls: A class with a docstring in Google's style.
    """
    found: dict[str, str] = {}
    name = ""
    for line in _section(inspect.getdoc(cls) or "", "Attributes:"):
        start = _ATTRIBUTE.match(line)
        if start:
            name, found[start[1]] = start[1], start[2]
        elif name:
            found[name] += " " + line.strip()
    return found


def _section(text: str, title: str) -> list[str]:
    """Its lines, less four spaces of indentation; it ends where the indentation does."""
    lines = text.split("\n")
    if title not in lines:
        return []
    section = []
    for line in lines[lines.index(title) + 1 :]:
        if line and not line.startswith("    "):
            break
        section.append(line[4:])
    return [line for line in section if line]
