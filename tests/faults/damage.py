"""Damage to a file's bytes, as disks, transfers, editors and other programs do it."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

Damage = Callable[[bytes, Random], bytes]


def damaged(data: bytes, random: Random) -> bytes:
    """One of the kinds below, or two one after the other."""
    for _ in range(random.choice((1, 1, 2))):
        data = random.choice(KINDS)(data, random)
    return data


def flip(data: bytes, random: Random) -> bytes:
    """One bit, or some."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 8)) if data else 0):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(data: bytes, random: Random) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data) + 1)]


def drop(data: bytes, random: Random) -> bytes:
    """A part is missing."""
    first, last = _range(data, random)
    return data[:first] + data[last:]


def repeat(data: bytes, random: Random) -> bytes:
    """A part stands twice."""
    first, last = _range(data, random)
    return data[:last] + data[first:]


def swap(data: bytes, random: Random) -> bytes:
    """Two parts changed places."""
    first, last = _range(data, random)
    return data[last:] + data[first:last] + data[:first]


def zero(data: bytes, random: Random) -> bytes:
    """A part was never written."""
    first, last = _range(data, random)
    return data[:first] + bytes(last - first) + data[last:]


def noise(data: bytes, random: Random) -> bytes:
    """Other bytes stand in a part."""
    first, last = _range(data, random)
    return data[:first] + random.randbytes(last - first) + data[last:]


def word(data: bytes, random: Random) -> bytes:
    """A length or a count is another one."""
    size = random.choice((2, 4, 8))
    number = random.choice((0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, random.getrandbits(64)))
    at = random.choice((0, 6, 8, random.randrange(len(data) + 1)))
    return data[:at] + (number % (1 << 8 * size)).to_bytes(size, "little") + data[at + size :]


def number(data: bytes, random: Random) -> bytes:
    """A number of a text is another one."""
    places = list(re.finditer(rb"(?<![\w.])-?\d[\d_.]*(?:e[+-]?\d+)?", data))
    return _put(data, places, random, NUMBERS)


def value(data: bytes, random: Random) -> bytes:
    """A value of a text is of another kind."""
    places = list(re.finditer(rb'"[^"\n]{0,200}"|\btrue\b|\bnull\b|(?<== )[^\n#]+', data))
    return _put(data, places, random, VALUES)


def structure(data: bytes, random: Random) -> bytes:
    """JSON in which a field is missing, of another kind, or one too many."""
    start = 8 if data[8:9] == b"{" else 0  # behind the length of a safetensors header
    end = start + int.from_bytes(data[:8], "little") if start else len(data)
    try:
        content = json.loads(data[start:end])
    except (ValueError, RecursionError):
        return flip(data, random)
    _change(content, random)
    text = json.dumps(content).encode()
    length = len(text).to_bytes(8, "little") if start else b""
    return length + text + data[end:]


NUMBERS = [
    b"0", b"-1", b"1.5", b"1e3", b"1e999", b"-0.0", b"2147483648", b"9223372036854775807",
    b"9223372036854775808", b"1" + b"0" * 400, b"1" + b"0" * 5000, b"nan", b"NaN", b"inf",
]  # fmt: skip
VALUES = [
    *NUMBERS, b"true", b"null", b'""', b"[]", b"{}", b'"\\u0000"', b'"a\\nb"', b'"../x"', b"60%",
    b'"' + b"x" * 5000 + b'"', b"[" * 1500 + b"]" * 1500, b'{"a": 1}', b"{ a = 1 }", b"\xff\xfe",
]  # fmt: skip
OBJECTS: list[Any] = [
    None, True, -1, 0, 1.5, 2**63, 10**400, 1e300, "", "x", "../x", "a\0b", "a\nb", "\ud83d", [],
    {}, [1], {"a": 1}, "x" * 5000,
]  # fmt: skip
KINDS: tuple[Damage, ...] = (
    flip, cut, drop, repeat, swap, zero, noise, word, number, value, structure, structure,
)  # fmt: skip


def _range(data: bytes, random: Random) -> tuple[int, int]:
    first = random.randrange(len(data) + 1)
    length = random.choice((1, 8, 64, len(data)))
    return first, min(len(data), first + random.randrange(length + 1))


def _put(data: bytes, places: list[re.Match[bytes]], random: Random, choices: list[bytes]) -> bytes:
    if not places:
        return flip(data, random)
    place = random.choice(places)
    first, last = place.span()
    return data[:first] + random.choice(choices) + data[last:]


def _change(content: Any, random: Random) -> None:
    """Change one place of parsed JSON, wherever it is."""
    while isinstance(content, dict | list) and content:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = random.choice(keys)
        inner = content[key]
        if isinstance(inner, dict | list) and inner and random.random() < 0.8:
            content = inner
            continue
        action = random.randrange(4)
        if action == 0:
            del content[key]
        elif action == 1 and isinstance(content, dict):
            content[f"{key}x"] = inner
        elif action == 2:
            other = content[random.choice(keys)]
            content[key] = other
        else:
            content[key] = random.choice(OBJECTS)
        return
