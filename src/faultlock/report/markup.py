# SPDX-License-Identifier: GPL-2.0-only
"""HTML and SVG built from values: text is escaped unless it is Markup already."""

from __future__ import annotations

from html import escape

VOID = {"meta", "br", "input", "line", "rect", "path", "circle", "polyline", "hr", "use"}


class Markup(str):
    """Text that is HTML already."""


def markup(value: object) -> Markup:
    """`value` as HTML: Markup as it is, everything else escaped (quotes too)."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element.  Attribute names: `class_` for class, `data_step` for data-step; a value of
    None or False leaves the attribute out, True writes its name alone."""
    parts = [name]
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(written)
        elif value is not None and value is not False:
            parts.append(f'{written}="{escape(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    if name in VOID and not children:
        return Markup(opening.replace(">", "/>") if name not in ("meta", "br", "hr") else opening)
    return Markup(f"{opening}{''.join(markup(child) for child in children)}</{name}>")


def join(pieces: object, between: str = "") -> Markup:
    """The pieces one after the other, each escaped unless it is Markup."""
    return Markup(between.join(markup(piece) for piece in pieces))  # type: ignore[attr-defined]
