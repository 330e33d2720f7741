"""One self-contained HTML file a run: nothing is loaded, nothing runs, all is escaped."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from parity_flwr.app.report.page import RunData, make_page


def _resource(name: str) -> str:
    return files("parity_flwr.app.report").joinpath("templates", name).read_text("utf-8")


def _style_hash(style: str) -> str:
    digest = hashlib.sha256(style.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def build_report(data: RunData) -> str:
    """Return the report as HTML; the same data gives the same bytes.

    The page's policy (CSP) allows its own style sheet, by hash, and nothing else: a name
    that got past the escaping still could not run or load anything.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = _resource("report.css")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("report.html.j2"))
    trusted = Markup(style)  # noqa: S704 (our own file)
    return template.render(page=make_page(data), style=trusted, style_hash=_style_hash(style))
