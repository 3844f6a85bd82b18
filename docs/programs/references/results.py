"""The reference of result files, from their JSON Schema and the dataclasses behind it."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from docs.programs.references.markdown import code, prose, table
from reports.schemas import RESULT, schemas
from reports.stored.files import KINDS
from workloads.support.docstrings import attribute_docs

_ENVELOPE = {"format", "version", "kind", "sha256"}


def results_reference() -> str:
    """Every kind of result, then every object in one, in the order of the alphabet."""
    definitions = schemas()[RESULT]["$defs"]
    classes = _classes()
    top = [cls.__name__ for cls in KINDS]
    parts = ["## Kinds of results\n"]
    for name in top:
        kind = definitions[name]["properties"]["kind"]["const"]
        parts += [f"### `{kind}`\n", *_object(definitions[name], classes.get(name))]
    parts.append("## Objects inside\n")
    for name in sorted(set(definitions) - set(top)):
        parts += [f"### {name}\n", *_object(definitions[name], classes.get(name))]
    return "\n\n".join(parts)


def _object(schema: Mapping[str, Any], cls: type | None) -> Iterator[str]:
    meanings = attribute_docs(cls) if cls else {}
    required = set(schema["required"])
    rows = [
        [
            code(key),
            _type(value),
            "" if key in required else "derived" if value.get("readOnly") else "optional",
            prose(meanings.get(key) or _property(cls, key)),
        ]
        for key, value in schema["properties"].items()
        if key not in _ENVELOPE or "kind" not in schema["properties"]
    ]
    yield prose(schema.get("description", ""))
    yield table(["field", "type", "", "meaning"], rows)


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON type in words, with links to objects."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return code(f'"{schema["const"]}"' if isinstance(schema["const"], str) else schema["const"])
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(f'"{word}"') for word in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        inner = schema.get("items") or schema.get("prefixItems", [{}])[0]
        return f"list of {_type(inner)}" if isinstance(inner, Mapping) else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_type(schema['additionalProperties'])}"
    return ", ".join(kind) if isinstance(kind, list) else str(kind)


def _property(cls: type | None, name: str) -> str:
    value = getattr(cls, name, None)
    text = getattr(value, "__doc__", None) if isinstance(value, property) else None
    return (text or "").partition("\n")[0]


def _classes() -> dict[str, type]:
    """Every dataclass that a result may hold, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = list(KINDS)
    while waiting:
        hint = waiting.pop()
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if hint.__name__ not in found:
                found[hint.__name__] = hint
                waiting += typing.get_type_hints(hint).values()
        elif not isinstance(hint, types.NoneType):
            waiting += typing.get_args(hint)
    return found
