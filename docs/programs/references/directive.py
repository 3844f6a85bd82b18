"""The Sphinx directive ``generated``: a reference made from the code while the site is built.

A page says ``{generated} machine``; nothing that is generated is stored.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from docs.programs.references import command_line, inputs, machine, results

REFERENCES: dict[str, Callable[[], str]] = {
    "machine": machine.machine_reference,
    "presets": machine.presets,
    "costs": machine.cost_reference,
    "shapes": inputs.shapes_reference,
    "space": inputs.space_reference,
    "methods": inputs.methods_reference,
    "command-line": command_line.command_reference,
    "results": results.results_reference,
}


class Generated(SphinxDirective):
    """``{generated} NAME``: the Markdown of one of ``REFERENCES`` in place of itself."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Make it, and parse it where it stands."""
        self.env.note_reread()  # the code may have changed where the page has not
        text = REFERENCES[self.arguments[0]]()
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
