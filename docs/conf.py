"""How Sphinx builds the site of these pages (`make docs`): offline, with nothing from another host.

The pages are written for readers of the repository too. Where they link to files above this folder, the site has a page, a download or
the bare name.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
LINK = re.compile(r"(?<!!)\[([^\]\[]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
# pages of the site whose text stands above this folder
BROUGHT = {"contributing": "CONTRIBUTING.md", "security": "SECURITY.md", "changelog": "CHANGELOG.md"}
PAGES = {ROOT / file: page for page, file in BROUGHT.items()} | {ROOT / "README.md": "index", HERE: "index"}
MORE = {"decisions/README": "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"}  # what only the site needs

project = "xmpp-rest"
author = "the authors of xmpp-rest"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["man/*"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = f"xmpp-rest {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False


def link_in_site(match: re.Match[str], written_in: Path, page_folder: Path) -> str:
    """A Markdown link of a text that stands in `written_in`, for a page of the site in `page_folder`."""
    text, path, anchor = match[1], match[2], match[3] or ""
    target = (written_in / path).resolve()
    if page := PAGES.get(target):
        target, anchor = HERE / f"{page}.md", "" if page == "index" else anchor
    if target.is_relative_to(HERE) and target.is_file():
        return f"[{text}]({os.path.relpath(target, page_folder)}{anchor})"
    plain = text.replace("`", "")
    return f"{{download}}`{plain} <{os.path.relpath(target, page_folder)}>`" if target.is_file() else plain


def read(_: Sphinx, page: str, text: list[str]) -> None:
    """Gives Sphinx the text of a page with its links as the site has them."""
    file = ROOT / BROUGHT[page] if page in BROUGHT else HERE / f"{page}.md"
    page_folder = (HERE / page).parent
    written = file.read_text(encoding="utf-8") + MORE.get(page, "")
    text[0] = LINK.sub(lambda match: link_in_site(match, file.parent, page_folder), written)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", read)
    app.add_lexer("ndjson", JsonLexer)
    app.add_lexer("mermaid", TextLexer)
    return {"parallel_read_safe": True}
