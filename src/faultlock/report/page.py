# SPDX-License-Identifier: GPL-2.0-only
"""One self-contained HTML page: works from file://, fetches nothing, runs no foreign text.

A page is a title, a verdict and sections; `render` puts them together with the style sheet
and the script of `assets/`.  The content security policy in its head forbids every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultlock.report.console import is_number
from faultlock.report.markup import Markup, join, tag
from faultlock.report.model_text import ItemDiff
from faultlock.version import version_line

ASSETS = Path(__file__).resolve().parent / "assets"
GOOD, BAD, UNKNOWN, PLAIN = "good", "bad", "unknown", "plain"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


@dataclass
class Page:
    """What one page says.  `state`: good, bad, unknown or plain (colours the verdict)."""

    title: str
    verdict: Sequence[str]
    state: str = PLAIN
    sections: list[tuple[str, Markup]] = field(default_factory=list)

    def add(self, heading: str, *content: object) -> None:
        """One more section."""
        self.sections.append((heading, join(content)))


def render(page: Page) -> str:
    """The whole page as text."""
    names = [f"s{number}" for number in range(len(page.sections))]
    links = [
        tag("a", heading, href=f"#{name}")
        for name, (heading, _) in zip(names, page.sections, strict=True)
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=version_line()),
        tag("title", page.title),
        tag("style", _asset("page.css")),
    )
    verdict = tag(
        "section", *(tag("p", line) for line in page.verdict),
        class_=f"verdict {page.state}", id="verdict", aria_label="verdict",
    )
    button = tag("button", "light / dark", id="theme", type="button")
    body = tag(
        "body",
        tag("header", tag("h1", page.title), button, tag("nav", *links, aria_label="sections")),
        tag(
            "main",
            verdict,
            *(
                tag("section", tag("h2", heading), content, id=name)
                for name, (heading, content) in zip(names, page.sections, strict=True)
            ),
        ),
        tag("footer", version_line(), ", GPL-2.0-only"),
        tag("script", _asset("page.js")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _asset(name: str) -> Markup:
    return Markup((ASSETS / name).read_text(encoding="utf-8"))


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> Markup:
    """A table that scrolls inside the page when it is wider; the first column heads its row."""
    kinds = [
        None if all(is_number(str(row[column])) for row in rows) else "text"
        for column in range(len(header))
    ]
    head = tag(
        "tr",
        *(tag("th", cell, scope="col", class_=kind)
          for cell, kind in zip(header, kinds, strict=True)),
    )
    body = [
        tag("tr", tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=_cell_class(cell, kind))
              for cell, kind in zip(row[1:], kinds[1:], strict=True)))
        for row in rows
    ]
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex=0
    )


def _cell_class(cell: object, kind: str | None) -> str | None:
    """Verdicts are coloured wherever they stand."""
    state = {"violated": BAD, "unknown": UNKNOWN, "holds": GOOD}.get(str(cell))
    return " ".join(filter(None, (kind, state and f"is-{state}"))) or None


def reproduce(commands: Sequence[str], notes: Sequence[str] = ()) -> Markup:
    """The commands that make this page's result again, and what else one must know."""
    return join([tag("pre", "\n".join(commands), tabindex=0), *(tag("p", note) for note in notes)])


def policy_diff(left: str, right: str, differences: Sequence[ItemDiff]) -> Markup:
    """Two policies side by side, one fold-out per function."""
    if not differences:
        return tag("p", f"{left} and {right} are the same text.")
    parts = [tag("p", f"Left: {left}. Right: {right}.")]
    for diff in differences:
        places = " | ".join(item.place if item else "not there" for item in (diff.left, diff.right))
        rows = []
        for row in diff.rows:
            kind = {"|": "changed", "<": "removed", ">": "added", "~": "folded"}.get(row.mark, "")
            cells = [
                tag("td", row.left_line or "", class_="number"),
                tag("td", "⋯" if row.mark == "~" else row.left, class_="code"),
                tag("td", row.right_line or "", class_="number"),
                tag("td", "⋯" if row.mark == "~" else row.right, class_="code"),
            ]
            rows.append(tag("tr", *cells, class_=kind or None))
        grid = tag("div", tag("table", tag("tbody", *rows), class_="diff"), class_="scroll",
                   tabindex=0)
        summary = tag("summary", tag("code", diff.name), f" {diff.verb}, {places}")
        parts.append(tag("details", summary, grid, open=len(differences) == 1))
    return join(parts)
