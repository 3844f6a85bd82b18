"""What a page is made of: numbers on its first screen, sections, charts and tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workloads.results.table import Table

Spec = Mapping[str, Any]
"""A Vega-Lite specification, its data inside."""


@dataclass(frozen=True)
class Number:
    """A number of the first screen.

    Attributes:
        label: What it is.
        value: As people read it; None where nobody has it yet.
        basis: ``measured``, ``simulated (event)`` and so on; empty where there is no value.
        about: Over what, on what; or how to get it.
    """

    label: str
    value: str | None
    basis: str
    about: str


@dataclass(frozen=True)
class Chart:
    """A chart with what it shows in words.

    Attributes:
        name: Its place on the page, unique there.
        title: What it shows.
        caption: How to read it, with units and provenance.
        spec: Drawn by Vega-Lite.
        canvas: Drawn as pixels, for thousands of marks.
    """

    name: str
    title: str
    caption: str
    spec: Spec
    canvas: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn already.

    Attributes:
        title: What it shows.
        svg: The file's text.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Explorer:
    """A swept design space whose points can be picked.

    Attributes:
        name: Its place on the page, unique there.
        title: What was swept.
        caption: Points, provenance, and what the marks are.
        data: For the page's script: ``columns``, ``front``, ``axes``, ``objectives``, ``machine``.
    """

    name: str
    title: str
    caption: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes:
        name: Its anchor, unique on the page.
        title: Its heading.
        text: Sentences below it.
        charts: In order.
        explorers: Likewise.
        pictures: Likewise.
        tables: Likewise.
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    explorers: tuple[Explorer, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not (self.charts or self.explorers or self.pictures or self.tables)


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Its heading.
        lead: The sentences of its first screen.
        numbers: Those that matter.
        about: When, by which command and version: words by what they are.
        sections: In order; empty ones are left out.
    """

    title: str
    lead: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
