"""A back-test as a table for a terminal, as CSV and as one JSON document. Pure."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rebalancer.backtest.result import Result
from rebalancer.backtest.series import YEAR_S
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.canonical import moment_text
from rebalancer.core.money import HUNDRED, plain
from rebalancer.core.targets import Targets
from rebalancer.report.frontier import FrontierPoint, frontier_document, frontier_text
from rebalancer.report.words import money, printable

WIDTH = 80
SCHEMA, SUGGEST_SCHEMA = "rebalancer.backtest/1", "rebalancer.backtest-suggest/1"
CAVEATS = """\
The planner is the one in service, and sees each close only when it came. Every order is filled at that close with fee \
and half-spread; the books are endless, so that what large orders move is not in these figures.
What is compared is cost and closeness. Where a policy ends above or below `never` is the path's doing: past prices \
promise no rebalancing bonus.
""".splitlines()


@dataclass(frozen=True, slots=True)
class BacktestHeader:
    """What a back-test is about; every report of it begins with this."""

    mode: str
    venue: str
    source: str  # where the closes are from
    targets: Targets
    setting: BacktestSetting

    def assumptions(self) -> str:
        """Return fee, spread, size and minimum in one line."""
        made, quote = self.setting, self.targets.quote
        return (
            f"fee {plain(made.fee_rate * HUNDRED)} % an order, spread {plain(made.spread_bps)} bps, "
            f"NAV {money(made.nav_quote)} {quote}, no order below {plain(made.min_order_quote)} {quote}"
        )


def against_never(result: Result) -> float:
    """Return by how many percent the last NAV is above what never trading would have left."""
    return (float(result.nav_quote[-1]) / float(result.shadow_quote[-1]) - 1) * 100


def span_of(times: Sequence[datetime]) -> str:
    """Return the time covered, in words."""
    years = (times[-1] - times[0]).total_seconds() / YEAR_S
    return f"{times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}, {len(times):,} closes, {years:.1f} years"


def backtest_text(header: BacktestHeader, results: Sequence[Result]) -> str:
    """Return the policies side by side, readable at 80 columns."""
    quote = header.targets.quote
    lines = _top(header, results[0].times, "back-test")
    lines.append(
        f"{'policy':<15}{'fee %/yr':>8}{'turn/yr':>8}{'orders/yr':>10}{'rms pp':>7}{'worst pp':>9}"
        f"{'end ' + quote:>13}{'vs never':>10}"
    )
    for result in results:
        lines.append(
            f"{result.policy:<15}{result.fee_percent_year:>8.3f}{result.turnover_year:>8.2f}"
            f"{result.orders_year:>10.1f}{result.rms_pp:>7.2f}{result.worst_stray_pp:>9.2f}"
            f"{float(result.nav_quote[-1]):>13,.0f}{against_never(result):>+9.1f}%"
        )
    lines += ["", *_denials(results)]
    for caveat in CAVEATS:
        lines += wrapped(caveat)
    return "\n".join(lines) + "\n"


def _top(header: BacktestHeader, times: Sequence[datetime], what: str) -> list[str]:
    about = f"{header.mode.upper()} on {header.venue}  {what} of {len(header.targets.assets)} assets"
    more = (f"closes: {header.source}", span_of(times), header.assumptions())
    return [about, *(line for each in more for line in wrapped(each)), ""]


def suggest_text(header: BacktestHeader, times: Sequence[datetime], points: Sequence[FrontierPoint]) -> str:
    """Return what other settings would have cost and strayed, readable at 80 columns."""
    bands = header.targets.bands
    lines = _top(header, times, f"other bands (rule {bands.rule.value}) for the weights")
    lines += [*frontier_text(points).splitlines(), ""]
    for caveat in CAVEATS:
        lines += wrapped(caveat)
    lines += wrapped("Nothing was changed; k and destination stand in [bands] of targets.toml.")
    return "\n".join(lines) + "\n"


def suggest_document(
    header: BacktestHeader, times: Sequence[datetime], points: Sequence[FrontierPoint]
) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {"schema": SUGGEST_SCHEMA, **_head(header), **_span(times), "settings": frontier_document(points)}


def _denials(results: Sequence[Result]) -> list[str]:
    """Say where caps and guards let nothing through."""
    lines: list[str] = []
    for result in results:
        if denied := int(result.denied.sum()):
            lines += wrapped(f"{result.policy}: at {denied} close(s) a price guard or a limit refused the whole plan")
    return lines


def wrapped(text: str) -> list[str]:
    """Return words as lines of at most 80 columns; a path stays in one piece."""
    return textwrap.wrap(printable(text), WIDTH, break_long_words=False, break_on_hyphens=False)


def backtest_csv(results: Sequence[Result]) -> str:
    """Return a line a policy with every figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(results[0].figures())
    writer.writerow(["policy", *names])
    for result in results:
        figures = result.figures()
        writer.writerow([result.policy, *(f"{figures[name]:.10g}" for name in names)])
    return out.getvalue()


def backtest_document(header: BacktestHeader, results: Sequence[Result]) -> dict[str, Any]:
    """Return everything as JSON values; what the owner set is text, what was measured are numbers."""
    return {
        "schema": SCHEMA,
        **_head(header),
        **_span(results[0].times),
        "policies": [{"policy": result.policy, **result.figures()} for result in results],
    }


def _head(header: BacktestHeader) -> dict[str, Any]:
    made = header.setting
    return {
        "mode": header.mode,
        "venue": header.venue,
        "source": header.source,
        "quote": header.targets.quote,
        "weights": {asset: plain(weight) for asset, weight in header.targets.weights.items()},
        "setting": {
            "fee_rate": plain(made.fee_rate),
            "spread_bps": plain(made.spread_bps),
            "nav_quote": plain(made.nav_quote),
            "min_order_quote": plain(made.min_order_quote),
        },
    }


def _span(times: Sequence[datetime]) -> dict[str, Any]:
    return {"from": moment_text(times[0]), "to": moment_text(times[-1]), "closes": len(times)}
