"""The weekly digest: what stands out first, then worth, shadows, trades, cost and reasons. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.core.ledger import Amounts, Books
from rebalancer.core.money import EXACT, HUNDRED, ZERO
from rebalancer.journal.weeks import Count, Period, Stray
from rebalancer.report.words import amount, money, printable, signed_points

QUIET_MIN, QUIET_TIMES = timedelta(hours=6), 3  # a silence stands out when it is long, and long for this schedule
# Ends of runs that somebody should hear of; the others are how a week goes.
TROUBLE = {
    "failed": "run(s) failed",
    "interrupted": "run(s) were interrupted: the process ended",
    "unavailable": "run(s) could not reach the exchange",
    "refused": "run(s) were refused by a guard",
    "outcome_unknown": "run(s) met an order of unknown outcome",
}
Fact = tuple[str, str]  # what it is about, and a sentence


@dataclass(frozen=True, slots=True)
class Moved:
    """What the books say of a period: from the ones with which it began to its last."""

    opened: Books
    closed: Books

    @property
    def flows_quote(self) -> Decimal:
        """Return what came, less what went, by other hands."""
        return self.closed.flows_quote - self.opened.flows_quote

    @property
    def gain_quote(self) -> Decimal:
        """Return by how much the worth rose beyond what came."""
        return self.closed.nav_quote - self.opened.nav_quote - self.flows_quote

    @property
    def against_never_quote(self) -> Decimal:
        """Return by how much the account did better than had nothing ever been traded."""
        now, then = ((each.nav_quote - each.never_quote) for each in (self.closed, self.opened))
        return now - then

    @property
    def against_frictionless_quote(self) -> Decimal:
        """Return by how much the account did better than its targets without any cost; as a rule it is a loss."""
        now, then = ((each.nav_quote - each.frictionless_quote) for each in (self.closed, self.opened))
        return now - then

    def grown(self, name: str) -> dict[str, Decimal]:
        """Return by how much each amount of the books of that name grew; what did not is left out."""
        now: Amounts = getattr(self.closed, name)
        then: Amounts = getattr(self.opened, name)
        grown = {asset: EXACT.subtract(now.get(asset, ZERO), then.get(asset, ZERO)) for asset in {**then, **now}}
        return {asset: each for asset, each in grown.items() if each}


def moved_in(period: Period) -> Moved | None:
    """Return what the books say, or None where no look of the period or before it had any."""
    return Moved(period.opened, period.closed) if period.opened and period.closed else None


def digest_lines(period: Period, head: str) -> Iterator[Fact]:
    """Yield the digest's lines for a terminal or a notice: what each begins with, and its text, which may be long."""
    yield "", f"{head}  {days(period)}"
    for text in outstanding(period):
        yield "! ", text
    if not outstanding(period):
        yield "", "Nothing stands out."
    for name, text in facts(period):
        yield f"{name:<9} ", text


def days(period: Period) -> str:
    """Return the days of a period, the last one included."""
    last = period.until - timedelta(microseconds=1)
    return f"{period.since:%Y-%m-%d} to {last:%Y-%m-%d} UTC"


def outstanding(period: Period) -> list[str]:
    """Return what somebody should look at, the gravest first; empty in a week like any other."""
    lines = [f"HALTED: {halt.text}; `rebalancer ack {halt.seq}` after you looked" for halt in period.open_halts]
    lines += [
        f"{order.state.value.upper()}: {order.side} {order.symbol} ({order.run_id}/{order.intent_seq}) is not settled"
        for order in period.unsettled
    ]
    answered = [halt for halt in period.halts if halt.seq not in {each.seq for each in period.open_halts}]
    lines += [f"halted and answered: {halt.text}" for halt in answered]
    if period.closed is not None and period.closed.differing():
        lines.append("the books do not add up: `rebalancer status` says by how much")
    for status, words in TROUBLE.items():
        if status in period.statuses:
            lines.append(_counted(period.statuses[status], words))
    lines += _silence(period)
    lines += [f"outside its band: {_strayed(stray)}: {stray.why}" for stray in period.still_outside]
    return [printable(line) for line in lines]


def _counted(count: Count, words: str) -> str:
    return f"{count.times} {words}{f'; the last: {count.text}' if count.text else ''}"


def _silence(period: Period) -> list[str]:
    """Return the longest time without a run, if it was long for this schedule."""
    if not period.began:
        return ["no run began in these days: is the service running?"]
    moments = [*([period.since] if period.ran_before else []), *period.began, period.until]
    gaps = sorted((later - earlier, earlier) for earlier, later in itertools.pairwise(moments))
    usual = gaps[len(gaps) // 2][0]
    longest, since = gaps[-1]
    if longest < QUIET_MIN or longest < QUIET_TIMES * usual:
        return []
    return [f"no run for {longest.total_seconds() / 3600:.0f} hours from {_at(since)}"]


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _strayed(stray: Stray) -> str:
    return f"{stray.asset} {signed_points(stray.drift)} points from its target at {_at(stray.at)}"


def facts(period: Period) -> list[Fact]:
    """Return the rest of the digest, one sentence a subject."""
    return [
        *_worth(period),
        *_trades(period),
        *([("stray", f"the largest: {_strayed(period.stray)}")] if period.stray else []),
        ("runs", _counts(period.statuses) or "none ended"),
        *(("denied", f"{code} {count.times}x: {printable(count.text)}") for code, count in period.denials.items()),
        *(("skipped", f"{code} {count.times}x: {printable(count.text)}") for code, count in period.skips.items()),
        ("open", "see above" if period.open_halts or period.unsettled else "nothing is open"),
    ]


def _worth(period: Period) -> Iterator[Fact]:
    moved, quote = moved_in(period), period.quote
    if moved is None:
        yield "worth", "not known: no look of these days or before had data that passed"
        return
    opened, closed = moved.opened, moved.closed
    yield "worth", f"{money(opened.nav_quote)} -> {money(closed.nav_quote)} {quote}; {_share(moved)} without flows"
    flows = ", ".join(_signed(each, asset) for asset, each in moved.grown("flows").items())
    yield "flows", f"{flows}, together {_plus(moved.flows_quote)} {quote}" if flows else "none by other hands"
    for name, shadow_quote, against_quote in (
        ("had nothing been traded", closed.never_quote, moved.against_never_quote),
        ("at the targets without any cost", closed.frictionless_quote, moved.against_frictionless_quote),
    ):
        did = f"the account did {_better(against_quote)} in these days"
        yield "shadow", f"{name}: {money(shadow_quote)} {quote}; {did}"


def _share(moved: Moved) -> str:
    """Return the gain with its share of what there was at the start."""
    if not moved.opened.nav_quote:
        return _plus(moved.gain_quote)
    return f"{_plus(moved.gain_quote)} ({moved.gain_quote / moved.opened.nav_quote * HUNDRED:+.2f} %)"


def _trades(period: Period) -> Iterator[Fact]:
    quote = period.quote
    values = [trade.value_quote for trade in period.trades if trade.value_quote is not None]
    coins: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    for trade in period.trades:
        for coin, change in ((trade.received, trade.received_amount), (trade.spent, -trade.spent_amount)):
            coins[coin] = EXACT.add(coins.get(coin, ZERO), change)
        for coin, fee in trade.fees.items():
            fees[coin] = EXACT.add(fees.get(coin, ZERO), fee)
    if not period.trades:
        yield "trades", "none"
        return
    net = ", ".join(_signed(change, coin) for coin, change in coins.items() if coin != quote)
    yield "trades", f"{len(period.trades)} order(s) of {money(sum(values, ZERO))} {quote}: {net}"
    moved = moved_in(period)
    cost = [fee for trade in period.trades for fee in trade.fees_quote.values()]
    # What the last run traded is in the books of the next look.
    booked = moved is not None and moved.closed.orders - moved.opened.orders == len(period.trades)
    slipped = (
        f"; slippage {money(moved.closed.slip_quote - moved.opened.slip_quote)} {quote}" if moved and booked else ""
    )
    paid = " + ".join(f"{amount(fee)} {coin}" for coin, fee in fees.items()) or "none"
    yield "fees", f"{paid}, about {money(sum(cost, ZERO))} {quote}{slipped}"


def _counts(statuses: Mapping[str, Count]) -> str:
    total = sum(count.times for count in statuses.values())
    parts = ", ".join(f"{count.times} {status.replace('_', ' ')}" for status, count in statuses.items())
    return f"{total}: {parts}" if statuses else ""


def _plus(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{money(value)}"


def _better(value: Decimal) -> str:
    shown = money(abs(value))
    return "as well" if shown == money(ZERO) else f"{shown} {'worse' if value < 0 else 'better'}"


def _signed(value: Decimal, asset: str) -> str:
    return f"{'+' if value > 0 else ''}{amount(value)} {asset}"
