"""Sphinx: the site is made of the Markdown files where they are, so its source folder is the root of the repository.

README.md is the first page. GitHub shows it as it is; here `docs/contents.md` is added to it, the site's navigation.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

DOCS = Path(__file__).parent
ROOT = DOCS.parent
REPORT = ROOT / "reports" / "matrix.html"
"""What `make matrix` wrote; where there is one, the site has it."""
sys.path.insert(0, str(DOCS))

from generate import write_conventions  # noqa: E402

project = "bnconform"
author = "The bnconform authors"
project_copyright = "The bnconform authors, Apache-2.0"
version = release = version_of("bnconform")
root_doc = "README"
include_patterns = ["*.md", "*/*.md", "reference/bn_reference/**.md", "reports/published/matrix.md"]
exclude_patterns = [".*", "build", "dist", "docs/contents.md", "tests/*/*", "conformance/*/*"]
exclude_patterns += ["reports/[!R]*.md"]  # what make writes there, such as power.md

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
suppress_warnings = [
    "myst.header"
]  # the published matrix starts with a heading of the third level, for comments on GitHub

default_role = "code"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"bnconform {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_extra_path = ["redirect", *([str(REPORT)] if REPORT.exists() else [])]
html_copy_source = False
html_show_sphinx = False

_SERVER, _NAME = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
REPOSITORY = f"{_SERVER}/{_NAME}" if _SERVER and _NAME else ""
"""Where the sources are. GitHub's workflows say it; elsewhere a link to a source file is a download."""


class SourceLinks(SphinxPostTransform):
    """A link to a file that is no page of the site leads to the repository."""

    default_priority = 15

    def run(self) -> None:
        """Replace every download by a link."""
        for node in list(self.document.findall(download_reference)):
            path = (ROOT / Path(self.env.docname).parent / node["reftarget"]).resolve()
            link = nodes.reference("", "", *node.children, internal=False, refuri=self.target(path))
            node.replace_self(link)

    def target(self, path: Path) -> str:
        """The address of a file of the repository."""
        return f"{REPOSITORY}/blob/main/{path.relative_to(ROOT).as_posix()}"


def complete(_: Sphinx, docname: str, source: list[str]) -> None:
    """Add the navigation to the first page, and to that of the matrix a link to the report."""
    if docname == root_doc:
        source[0] += "\n" + (DOCS / "contents.md").read_text(encoding="utf-8")
    elif docname == "reports/published/matrix" and REPORT.exists():
        source[0] += f'\n<p><a href="../../{REPORT.name}">The report</a> of the newest run is one HTML page.</p>\n'


def setup(app: Sphinx) -> None:
    """Generate what is made from the code, and register the rest."""
    write_conventions(DOCS / "_generated")
    app.connect("source-read", complete)
    if REPOSITORY:
        app.add_post_transform(SourceLinks)
