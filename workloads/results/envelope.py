"""A result as a file: kind, format version and hash around it; names that never meet."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from workloads.results.codec import from_json, schema, to_json
from workloads.results.identity import SHORT
from workloads.results.kinds import Result, identity_sha256
from workloads.support.errors import InputError, shown

FORMAT = "sslc-result"
VERSION = 2
_HEAD = ("format", "version", "kind", "sha256")
_STEM_LENGTH = 60
_OLD_COMMANDS = {
    "perplexity": "sslc evaluate",
    "zero_shot": "sslc evaluate --tasks",
    "cycles": "sslc simulate",
    "runtime": "sslc measure",
    "attention": "sslc attention",
    "sweep": "sslc sweep",
}


def result_to_json(result: Result) -> dict[str, Any]:
    """A result with its head: format, version, kind and the hash of its identity."""
    head = {"format": FORMAT, "version": VERSION, "kind": result.KIND}
    return {**head, "sha256": identity_sha256(result), **to_json(result)}


def result_from_json(value: Any, kinds: Iterable[type[Any]], where: str) -> Any:
    """A result from its JSON.

    Args:
        value: Parsed JSON.
        kinds: Result classes that may occur.
        where: The file, for the error.

    Raises:
        InputError: It is no result, of an older form (the sentence says what makes it anew), of an
            unknown kind, not whole, or its hash is not that of its identity.
    """
    if not isinstance(value, dict) or (value.get("format") != FORMAT and "kind" not in value):
        raise InputError(f"{where}: not a result (no format {FORMAT!r})")
    kind = value.get("kind")
    by_kind = {cls.KIND: cls for cls in kinds}
    if value.get("format") != FORMAT or value.get("version") != VERSION:
        command = _OLD_COMMANDS.get(str(kind), "its command")
        raise InputError(
            f"{where}: a result of another form than {VERSION}, which does not say all that "
            f"determines it; remove it and run `{command}` to make it anew"
        )
    if not isinstance(kind, str) or kind not in by_kind:
        raise InputError(f"{where}: kind must be one of {', '.join(by_kind)}, got {shown(kind)}")
    body = {name: item for name, item in value.items() if name not in _HEAD}
    result = from_json(by_kind[kind], body, where)
    if value.get("sha256") != identity_sha256(result):
        raise InputError(f"{where}: sha256 is not that of its identity; run its command again")
    return result


def file_name(result: Result) -> str:
    """Kind, what it is about, and the short hash of all that determines it."""
    stem = safe_name(result.stem)
    kind = result.KIND.replace("_", "-")
    return f"{kind}-{stem}-{identity_sha256(result)[:SHORT]}.json"


def safe_name(text: str) -> str:
    """A name that may stand in a path: others' characters become dashes, none leads out of it."""
    return re.sub(r"[^\w.+=-]+", "-", text, flags=re.ASCII).strip("-.")[:_STEM_LENGTH]


def result_schema(kinds: Iterable[type[Any]]) -> dict[str, Any]:
    """The JSON Schema of result files: one of the kinds, each with its head."""
    definitions: dict[str, Any] = {}
    choices = []
    for cls in kinds:
        whole = schema(cls)
        definitions |= whole["$defs"]
        body = definitions.pop(cls.__name__)
        head: Mapping[str, Any] = {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "kind": {"const": cls.KIND},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
        definitions[cls.__name__] = {
            **body,
            "properties": {**head, **body["properties"]},
            "required": [*_HEAD, *body["required"]],
        }
        choices.append({"$ref": f"#/$defs/{cls.__name__}"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A result of sslc",
        "oneOf": choices,
        "$defs": dict(sorted(definitions.items())),
    }
