"""Parts of Vega-Lite specifications that the charts share."""

from collections.abc import Mapping, Sequence
from typing import Any

Encoding = Mapping[str, Any]


def number(field: str, title: str | None, **more: Any) -> Encoding:
    """A quantity on an axis.

    Args:
        field: Of the data.
        title: Of the axis, with its unit.
        more: As Vega-Lite names it, such as ``scale``.
    """
    return {"field": field, "type": "quantitative", "title": title, **more}


def name(field: str, **more: Any) -> Encoding:
    """Words on an axis.

    Args:
        field: Of the data.
        more: As Vega-Lite names it, such as ``sort``.
    """
    return {"field": field, "type": "nominal", "title": None, **more}


def shade(field: str, words: Sequence[str], colours: Sequence[str], **more: Any) -> Encoding:
    """A colour for each word.

    Args:
        field: Of the data.
        words: In the order of the legend.
        colours: As many, or more.
        more: As Vega-Lite names it, such as ``legend``.
    """
    scale = {"domain": list(words), "range": list(colours)[: len(words)]}
    return name(field, **{"scale": scale, **more})


def tips(words: Mapping[str, str], **numbers: tuple[str, str]) -> list[Encoding]:
    """What is shown beside the pointer.

    Args:
        words: Headings by field.
        numbers: Heading and format in d3's notation, by field.
    """
    texts: list[Encoding] = [{"field": field, "title": title} for field, title in words.items()]
    return texts + [number(field, title, format=form) for field, (title, form) in numbers.items()]
