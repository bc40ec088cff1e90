"""`rebalancer targets history`: every version of the targets that took effect, who made it and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.cli.target_journal import recorded, waiting
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.core.canonical import jsonable, moment_text, parse_moment
from rebalancer.service.clock import SystemClock
from rebalancer.targets.changes import Change, setting_changes, weight_changes, words_of_author, words_of_change
from rebalancer.targets.versions import document_of, kept

SHOWN, SHOWN_MAX = 20, 10_000
NAME = 8  # characters of a digest


@dataclass(frozen=True, slots=True)
class _Line:
    """A change, when a cycle took it over, and whether `undo` can go back to it."""

    change: Change
    taken_over_at: datetime | None
    kept: bool

    def document(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        before = self.change.before
        pairs = {} if before is None else weight_changes(before.weights, self.change.after.weights)
        changed = {asset: {"from": old, "to": new} for asset, (old, new) in pairs.items()}
        others = {} if before is None else setting_changes(before, self.change.after)
        settings = {name: {"from": old, "to": new} for name, (old, new) in others.items()}
        document = {name: value for name, value in document_of(self.change).items() if name != "note"}
        taken = None if self.taken_over_at is None else moment_text(self.taken_over_at)
        return {"version": self.change.after.digest, **document, "weight_changes": changed,
                "setting_changes": settings, "taken_over_at": taken, "kept": self.kept}  # fmt: skip


@click.command(
    short_help="Show every change that took effect: who, when, what.",
    epilog="\b\nExamples:\n  rebalancer targets history\n  rebalancer targets undo 5f3a91c2",
)
@click.argument("count", type=click.IntRange(1, SHOWN_MAX), default=SHOWN)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def history(*, count: int, as_json: bool) -> None:
    """Show the last COUNT changes of the targets (20), newest first: who made each, when, and the weights.

    A version that is kept can be gone back to with `targets undo VERSION`.
    """
    settings = load_settings()
    contents = set(kept(settings.paths.state))
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        pairs: list[tuple[Change, datetime | None]] = [(each, None) for each in waiting(settings.paths.state, journal)]
        pairs += [(change, parse_moment(taken)) for change, taken in recorded(journal, count)]
    lines = [_Line(change, taken, change.after.digest in contents) for change, taken in pairs[:count]]
    if as_json:
        where = {"mode": settings.mode, "venue": settings.venue_kind}
        changes = [jsonable(line.document()) for line in lines]
        echo_document({"schema": "rebalancer.targets-history/1", **where, "changes": changes})
        return
    click.echo(heading(settings.mode, settings.venue_kind))
    if not lines:
        click.echo("no version is recorded yet; the first `rebalancer run` or slot of `serve` does that")
    for line in lines:
        click.echo("\n".join(_words(line)))


def _words(line: _Line) -> list[str]:
    change = line.change
    when = change.at or line.taken_over_at
    assert when is not None, change
    ends = "" if line.taken_over_at else "; the next cycle takes it over"
    gone = "" if line.kept else "; content no longer kept"
    moment = f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"
    return [
        *lines_of(f"{moment}  {change.after.digest[:NAME]}  {words_of_author(change)}{ends}{gone}", later=" " * 28),
        *lines_of(words_of_change(change.before, change.after), first=" " * 4, later=" " * 4),
    ]
