"""The book. Built by `make book` (nabla/course/book/build.py) from a copy of this folder that has
the executed notebooks and MathJax in it; nothing is fetched when it is read."""

from docutils import nodes

project = "nabla-workbench"
author = "The nabla-workbench authors"
copyright = author
extensions = ["myst_nb"]
exclude_patterns = ["_build", "downloads", "exercises-tried.md"]
html_theme = "sphinx_book_theme"
html_title = "Gradient estimators, from Bellman to Eq. 13 to MuJoCo"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["formulas.js"]
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sphinx = False
mathjax_path = "mathjax/startup.js"
myst_update_mathjax = False  # formulas.js has MathJax's settings
nb_execution_mode = "off"  # they are executed before
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "myst.header", "mystnb.unknown_mime_type"]


def leave_formulas(app, doctree):
    """Sphinx puts split around what has a line break in it, where \\tag is an error: amsmath's
    own blocks are left as they are written, and so are all."""
    for block in doctree.findall(nodes.math_block):
        block["classes"].append("amsmath")


def setup(app):
    app.connect("doctree-read", leave_formulas)
