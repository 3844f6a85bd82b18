"""The drawing library of the page as one script: Vega-Lite, Vega and vega-embed of vl-convert.

Bundling them takes seconds, so the script is kept in the user's cache, by version.
"""

from importlib import metadata
from pathlib import Path

import vl_convert

from workloads.support.cache import cached
from workloads.support.progress import Progress, silent

_FILE = "vega.js"
_EXPORTS = "window.vegaEmbed = vegaEmbed;"
_STAGE = "bundle the page's drawing library"


def drawing_script(progress: Progress = silent) -> str:
    """A script that sets ``window.vegaEmbed``; it asks for nothing from a network.

    Args:
        progress: Told before and after the library is bundled, which happens once per version.

    Raises:
        InputError: The cache cannot be written.
    """

    def make(directory: Path) -> None:
        progress(_STAGE, 0, 1)
        script = vl_convert.javascript_bundle(_EXPORTS)
        (directory / _FILE).write_text(f"(() => {{{script}\n}})();", encoding="utf-8")
        progress(_STAGE, 1, 1)

    version = metadata.version("vl-convert-python")
    return (cached(f"vega-{version}", make) / _FILE).read_text(encoding="utf-8")
