"""Sphinx's settings for these pages: ``make docs`` builds them into ``build/docs``, offline."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "SSLC"
author = "the SSLC authors"
version = release = installed("sslc")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docs.programs.references.directive",
]
exclude_patterns = ["programs", "measured", "figures"]

html_theme = "furo"
html_title = f"SSLC {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.strikethrough"]
smartquotes = False  # they would make one dash of the two in front of an option
highlight_language = "none"
copybutton_prompt_text = "$ "

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_custom_sections = ["Source"]
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
