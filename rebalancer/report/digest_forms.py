"""The weekly digest as Markdown, as one HTML file and as one JSON document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from rebalancer.core.canonical import moment_text
from rebalancer.core.ledger import Books
from rebalancer.core.money import plain
from rebalancer.journal.trades import Traded
from rebalancer.journal.weeks import Count, Period
from rebalancer.report.digest import Moved, days, facts, moved_in, outstanding
from rebalancer.report.html import environment
from rebalancer.report.svg import Axis, Line, plot
from rebalancer.report.tables import cell
from rebalancer.report.words import money, printable

SCHEMA = "rebalancer.week/1"
STEP = Decimal("0.00000001")  # of derived amounts
SHADOWS = (
    ("had nothing been traded", "never_quote", 0),
    ("at the targets without any cost", "frictionless_quote", 3),
    ("the account", "nav_quote", 1),
)


def digest_markdown(period: Period, head: str) -> str:
    """Return the digest as Markdown."""
    lines = [f"# {head}", "", f"{days(period)}. {_first(outstanding(period))}", ""]
    lines += [f"- **{cell(text)}**" for text in outstanding(period)]
    lines += ["", "| | |", "|---|---|", *(f"| {name} | {cell(text)} |" for name, text in facts(period))]
    return "\n".join(lines) + "\n"


def _first(lines: Sequence[str]) -> str:
    return f"{len(lines)} thing(s) to look at." if lines else "Nothing stands out."


def digest_html(period: Period, mode: str, venue: str) -> str:
    """Return the digest as one self-contained page."""
    moved = moved_in(period)
    template = environment().get_template("digest.html.j2")
    lines = outstanding(period)
    return template.render(
        mode=mode,
        venue=venue,
        days=days(period),
        worth=None if moved is None else f"{money(moved.closed.nav_quote)} {period.quote}",
        first=_first(lines),
        outstanding=lines,
        facts=facts(period),
        plot=_plot(period),
        lines=SHADOWS,
    )


def _plot(period: Period) -> Markup | None:
    """Return the worth at each look beside both shadows from the same start, or None where there is no line to draw."""
    looks = [*([period.opened] if period.opened else []), *period.looks]
    if len({look.at for look in looks}) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    lines = []
    for name, figure, style in SHADOWS:
        lead = getattr(looks[0], figure) - looks[0].nav_quote  # what it was ahead before these days
        points = [(look.at.timestamp(), float(getattr(look, figure) - lead)) for look in looks]
        lines.append(Line(name, points, style))
    worth = Axis(f"worth in {period.quote}", lambda value: f"{value:,.0f}")
    return Markup(plot("Worth at each look", lines, _days(looks), worth))  # noqa: S704  # `plot` escapes every word


def _days(looks: Sequence[Books]) -> Axis:
    """Return the axis of time with a tick at each midnight, or at both ends of less than a day."""
    ends = (min(look.at for look in looks), max(look.at for look in looks))
    midnight = ends[0].replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + timedelta(days=number) for number in range(1, (ends[1] - midnight).days + 1)]
    form = "%d %b" if days else "%d %b %H:%M"
    ticks = [moment.timestamp() for moment in days or ends]
    return Axis("UTC", lambda moment: datetime.fromtimestamp(moment, UTC).strftime(form), ticks=ticks)


def digest_document(period: Period, mode: str, venue: str) -> dict[str, Any]:
    """Return the digest as JSON values."""
    moved = moved_in(period)
    return {
        "schema": SCHEMA,
        "mode": mode,
        "venue": venue,
        "quote": period.quote,
        "since": moment_text(period.since),
        "until": moment_text(period.until),
        "stands_out": outstanding(period),
        "books": None if moved is None else _books(moved),
        "trades": [_trade(trade) for trade in period.trades],
        "largest_stray": None
        if period.stray is None
        else {
            "asset": period.stray.asset,
            "drift": plain(period.stray.drift),
            "at": moment_text(period.stray.at),
            "outside_band": period.stray.outside,
        },
        "runs": {status: count.times for status, count in period.statuses.items()},
        "denials": _said(period.denials),
        "skips": _said(period.skips),
        "halts": [{"id": halt.seq, "code": halt.code, "text": halt.text, "since": halt.since} for halt in period.halts],
        "open_halts": [halt.seq for halt in period.open_halts],
        "unsettled": [f"{order.run_id}/{order.intent_seq}" for order in period.unsettled],
    }


def _trade(trade: Traded) -> dict[str, Any]:
    return {
        "at": moment_text(trade.at),
        "id": f"{trade.run_id}/{trade.intent_seq}",
        "spent": {"asset": trade.spent, "amount": plain(trade.spent_amount)},
        "received": {"asset": trade.received, "amount": plain(trade.received_amount)},
        "fees": {asset: plain(fee) for asset, fee in trade.fees.items()},
        "value_quote": None if trade.value_quote is None else plain(trade.value_quote),
    }


def _books(moved: Moved) -> dict[str, Any]:
    figures = {
        "nav_start_quote": moved.opened.nav_quote,
        "nav_end_quote": moved.closed.nav_quote,
        "flows_quote": moved.flows_quote,
        "gain_quote": moved.gain_quote,
        "never_rebalanced_end_quote": moved.closed.never_quote,
        "frictionless_end_quote": moved.closed.frictionless_quote,
        "against_never_rebalanced_quote": moved.against_never_quote,
        "against_frictionless_quote": moved.against_frictionless_quote,
        "fees_quote": moved.closed.fees_quote - moved.opened.fees_quote,
        "slip_quote": moved.closed.slip_quote - moved.opened.slip_quote,
    }
    return {
        "opened_at": moment_text(moved.opened.at),
        "closed_at": moment_text(moved.closed.at),
        **{name: plain(value.quantize(STEP)) for name, value in figures.items()},
        "flows": {asset: plain(each) for asset, each in moved.grown("flows").items()},
        "fees": {asset: plain(each) for asset, each in moved.grown("fees").items()},
        "adds_up": not moved.closed.differing(),
    }


def _said(counts: Mapping[str, Count]) -> list[dict[str, Any]]:
    return [{"code": code, "times": count.times, "text": printable(count.text)} for code, count in counts.items()]
