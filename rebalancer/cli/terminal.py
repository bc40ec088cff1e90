"""What the output of every verb has in common: its first line, its one document, its width, its colour."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from typing import Any

import click

WIDTH = 80


def heading(mode: str, venue: str) -> str:
    """Return what every output begins with: whether it is about real orders, and where."""
    return f"{mode.upper()} on {venue}"


def document_text(document: dict[str, Any]) -> str:
    """Return the one JSON document of a verb, in ASCII: it survives every locale, and no terminal acts on it."""
    return json.dumps(document, indent=2) + "\n"


def echo_document(document: dict[str, Any]) -> None:
    """Print the one JSON document of a verb."""
    click.echo(document_text(document), nl=False)


def lines_of(text: str, *, first: str = "", later: str = "") -> list[str]:
    """Return words, foreign ones too, as lines of at most 80 columns; a path or a name stays in one piece."""
    from rebalancer.report.words import printable  # noqa: PLC0415  # the help needs no report

    lines: list[str] = []
    for part in text.splitlines() or [""]:
        indent = later if lines else first
        lines += textwrap.wrap(
            printable(part),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=later,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [indent.rstrip()]
    return lines


def wants_colour() -> bool:
    """Return whether stdout is a terminal that nobody asked to stay plain."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
