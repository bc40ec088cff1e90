"""What the page shows, read from the journal: it is opened read-only and followed, never written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.ledger import Books
from rebalancer.errors import JournalError
from rebalancer.journal.checkpoint import read_books
from rebalancer.journal.queries import RunView, recent_runs, run_view
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.store import Journal
from rebalancer.seams import Clock
from rebalancer.web.charts import Chart, chart

POINTS_MAX = 300
RUNS_A_PAGE = 50
ORDERS_READ = 500
RUNS_FOR_MODE = 20
SCHEDULED = "cron"  # the id of the service's own schedule
SHOWN_ROWS = {Kind.INTENT, Kind.SENDING, Kind.OUTCOME, Kind.EVIDENCE, Kind.ACK, Kind.HALT, Kind.EXTERNAL_FLOW}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row about an order or a run, as a reader sees it."""

    seq: int
    at: str
    kind: str
    intent_seq: int | None
    facts: Mapping[str, Any]


class Reader:
    """The journal as the page needs it. One thread; every answer is of the moment it is asked for."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._journal: Journal | None = None

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """Yield the journal as it is now; JournalError where there is none or it cannot be trusted."""
        if self._journal is None:
            self._journal = Journal.open_to_read(self._path, self._clock)
        try:
            self._journal.follow()
            yield self._journal
        except JournalError:
            self.close()  # what was opened may be another file by now; the next look opens anew
            raise

    def close(self) -> None:
        """Let the journal go."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def mode_of(journal: Journal) -> str:
    """Return the mode that the service works in: of its last scheduled run, else of the last run; empty before any.

    A dry run that somebody asked for, or typed beside a live service, is not the service's mode.
    """
    runs = [json.loads(row.payload_text) for row in journal.newest(Kind.RUN, RUNS_FOR_MODE)]
    found = next((run for run in runs if run["schedule_id"] == SCHEDULED), runs[0] if runs else {"mode": ""})
    return str(found["mode"])


def last_plan(journal: Journal) -> dict[str, Any] | None:
    """Return the newest plan document, or None before the first."""
    rows = journal.newest(Kind.PLAN, 1)
    return dict(json.loads(rows[0].payload_text)["plan"]) if rows else None


def runs_page(journal: Journal, before_seq: int | None) -> list[RunView]:
    """Return one page of runs, newest first."""
    return recent_runs(journal, RUNS_A_PAGE, before_seq=before_seq)


def one_run(journal: Journal, run_id: str) -> tuple[RunView, dict[str, Any] | None, list[Evidence]] | None:
    """Return a run, its plan and what is known of its orders; None when there is no such run."""
    rows = list(journal.rows(run_id=run_id))
    started = next((row for row in rows if row.kind is Kind.RUN), None)
    if started is None:
        return None
    plan = next((json.loads(row.payload_text)["plan"] for row in rows if row.kind is Kind.PLAN), None)
    return run_view(journal, started), plan, [_evidence(row) for row in rows if row.kind in SHOWN_ROWS]


def orders_of(journal: Journal, asset: str) -> list[tuple[RunView, dict[str, Any]]]:
    """Return a coin's last orders with their runs, newest first, however long ago the coin was traded.

    Looked for among the last orders of all coins. Of the cash, which every order moves, those of few runs are enough.
    """
    made = journal.newest(Kind.INTENT, ORDERS_READ)
    keys = [(row.run_id, row.intent_seq) for row in made if asset in _moved_by(json.loads(row.payload_text))]
    names = list(dict.fromkeys(run_id for run_id, _ in keys))[:RUNS_A_PAGE]
    begun = (next(iter(journal.rows(run_id=name, kinds=(Kind.RUN,))), None) for name in names)
    views = [run_view(journal, row) for row in begun if row is not None]
    return [(view, each) for view in views for each in view.orders if (view.run_id, each["intent_seq"]) in keys]


def _moved_by(intent: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the coins that an order moves; rows of before there were direct pairs do not name the second."""
    return tuple(str(intent[name]) for name in ("asset", "quote") if name in intent)


def _evidence(row: Row) -> Evidence:
    return Evidence(row.seq, row.t_wall, row.kind.value, row.intent_seq, json.loads(row.payload_text))


def books_over_time(journal: Journal) -> list[Books]:
    """Return the books at evenly chosen looks, the first and the last among them."""
    return [read_books(json.loads(row.payload_text)) for row in journal.sample(Kind.LEDGER, POINTS_MAX)]


def gain_chart(books: list[Books]) -> Chart | None:
    """Return what the account gained since the first of these books beside its two shadows, flows left out."""

    def gains(worth: Callable[[Books], Decimal]) -> list[float]:
        return [float(worth(each) - each.flows_quote - worth(books[0]) + books[0].flows_quote) for each in books]

    series = {
        "account": gains(lambda each: each.nav_quote),
        "never trading": gains(lambda each: each.never_quote),
        "targets without cost": gains(lambda each: each.frictionless_quote),
    }
    return chart([each.at.timestamp() for each in books], series, *_ends(books))


def weight_chart(books: list[Books], asset: str) -> Chart | None:
    """Return an asset's weight and its target, in percent, where it was counted."""
    counted = [each for each in books if asset in each.held and asset in each.weights]
    series = {
        "weight": [float(each.held[asset] * each.prices[asset] / each.nav_quote * 100) for each in counted],
        "target": [float(each.weights[asset]) for each in counted],
    }
    return chart([each.at.timestamp() for each in counted], series, *_ends(counted))


def cost_chart(books: list[Books]) -> Chart | None:
    """Return fees and slippage since the opening."""
    series = {
        "fees": [float(each.fees_quote) for each in books],
        "slippage": [float(each.slip_quote) for each in books],
    }
    return chart([each.at.timestamp() for each in books], series, *_ends(books))


def _ends(books: list[Books]) -> tuple[str, str]:
    return (f"{books[0].at:%Y-%m-%d}", f"{books[-1].at:%Y-%m-%d}") if books else ("", "")


def age_text(moment: str, now: datetime) -> str:
    """Return how old something is, in words."""
    minutes = int((now - parse_moment(moment)).total_seconds() // 60)
    if minutes < 2:  # noqa: PLR2004  # not "1 minutes"
        return "just now"
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes} minutes ago"
    hours = minutes // 60
    return f"{hours} hours ago" if hours < 48 else f"{hours // 24} days ago"  # noqa: PLR2004


def moment_words(moment: str) -> str:
    """Return a time of the journal as a reader's text."""
    return f"{parse_moment(moment).astimezone(UTC):%Y-%m-%d %H:%M}"
