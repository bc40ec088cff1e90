"""The report for a terminal, readable at 80 columns; plain text when it is piped."""

from __future__ import annotations

import io
import textwrap
from decimal import Decimal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rebalancer.core.model import Side
from rebalancer.core.money import plain
from rebalancer.core.plan import AssetLine, Decision, Leg, Plan
from rebalancer.core.plan_json import PlanHeader
from rebalancer.core.targets import OrderType
from rebalancer.report.words import (
    amount,
    apart,
    closing,
    commands,
    money,
    percent,
    printable,
    signed_points,
    worth,
    worth_here,
)

WIDTH = 80
UNBOUND = 1000  # wider than any table, to learn how wide it wants to be
BAR = 9
_COLOUR = {Decision.SELL: "red", Decision.BUY: "green", Decision.HOLD: "dim"}


def plan_text(plan: Plan, header: PlanHeader, *, colour: bool = False, width: int = WIDTH) -> str:
    """Return the whole report as text, with ANSI colours if asked for."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        highlight=False,
        emoji=False,  # `:bomb:` in foreign words stays what it is
        color_system="standard" if colour else None,
    )
    _head(console, plan, header)
    _warnings(console, plan)
    if plan.assets:
        table = _assets(plan)
        if console.measure(table, options=console.options.update(max_width=UNBOUND)).maximum > width:
            table = _assets(plan, bars=False)  # rather no picture than a cut figure
        console.print(table)
    for text in filter(None, map(apart, plan.assets)):
        _wrapped(console, text, indent="", later="  ")
    if plan.legs:
        _legs(console, plan)
    _stays(console, plan)
    console.print()
    console.print(closing(plan, header.mode), soft_wrap=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, plan: Plan, header: PlanHeader) -> None:
    style = "bold red" if header.mode == "live" else "bold"
    console.print(f"{header.mode.upper()} on {header.venue}", style=style, end="")
    taken = plan.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    console.print(f"  {taken}  {worth(plan)}")
    if worth_here(plan):
        console.print(worth_here(plan))


def _warnings(console: Console, plan: Plan) -> None:
    for denial in (*plan.denials, *plan.warnings):
        console.print(f"! {escape(printable(denial.text))} ({denial.code.value})", style="bold yellow")
        for command in commands(denial):  # also in one piece, to be copied
            console.print(f"  {escape(command)}", soft_wrap=True)


def _assets(plan: Plan, *, bars: bool = True) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("asset", no_wrap=True)
    table.add_column("holds", justify="right", no_wrap=True, overflow="ellipsis", max_width=14)
    table.add_column(f"in {plan.quote}", justify="right", no_wrap=True)
    for name in ("now %", "target", "drift"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("band", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in plan.assets:
        table.add_row(
            line.asset,
            amount(line.free + line.locked),
            money(line.value_quote),
            percent(line.weight),
            percent(line.target),
            signed_points(line.drift),
            f"{band_bar(line) + ' ' if bars else ''}{percent(line.band_low, 1)}-{percent(line.band_high, 1)}",
            f"[{_COLOUR[line.decision]}]{line.decision.value}[/]",
        )
    return table


def band_bar(line: AssetLine) -> str:
    """Return where the weight stands in its band: `|` is the target, `o` the weight, `<` and `>` beyond an edge."""
    half = max(line.band_high - line.target, Decimal("0.000001"))
    place = round(line.drift / half * (BAR // 2))
    cells = ["-"] * BAR
    cells[BAR // 2] = "|"
    if line.drift > half or line.weight > line.band_high:
        return "".join(cells) + ">"
    if line.weight < line.band_low:
        return "<" + "".join(cells)
    cells[max(0, min(BAR - 1, BAR // 2 + int(place)))] = "o"
    return "".join(cells) + " "


def _legs(console: Console, plan: Plan) -> None:
    console.print()
    for leg in plan.legs:
        colour = "red" if leg.side is Side.SELL else "green"
        console.print(f"{leg.intent_seq}. [{colour}]{leg_words(leg, plan.quote)}[/]")
        _wrapped(console, leg.reason.text, indent="   ")


def leg_words(leg: Leg, quote: str) -> str:
    """Return one order as a sentence: what, how much, at what cost."""
    at_most = "at most " if leg.collar is not None and leg.side is Side.BUY else ""
    if leg.direct is not None:
        size = f"{at_most}{amount(leg.size.value)} {leg.spent}"
        what = f"sell {size} directly for {leg.received}, about {money(leg.notional_quote)} {quote}"
    elif leg.side is Side.SELL:
        what = f"sell {amount(leg.size.value)} {leg.asset} for about {money(leg.notional_quote)} {quote}"
    else:
        what = f"buy {leg.asset} for {at_most}{amount(leg.size.value)} {quote}"
    if leg.collar is not None:
        what += f" ({OrderType.IOC} at {plain(leg.collar)} or better)"
    slip = leg.spread_cost_bps + leg.impact_bps
    return f"{what}, fee {money(leg.fee_quote)}, slippage {slip:.1f} bps"


def _stays(console: Console, plan: Plan) -> None:
    idle = [(line.asset, line.reason) for line in plan.assets if line.decision is Decision.HOLD]
    seen = {asset for asset, _ in idle}
    idle += [(skip.asset, skip.reason) for skip in plan.skips if skip.asset not in seen]
    if plan.denials or not (idle or plan.notes):
        return
    console.print()
    for asset, reason in idle:
        _wrapped(console, f"{asset}: {reason.text}", indent="", later="  ")
    for note in plan.notes:
        _wrapped(console, note, indent="", later="  ")


def _wrapped(console: Console, text: str, *, indent: str, later: str = "   ") -> None:
    # `textwrap` counts characters, and the exchange also speaks Chinese, whose signs take two columns each.
    width = console.width if cell_len(text) == len(text) else console.width // 2
    lines = textwrap.wrap(printable(text), width, initial_indent=indent, subsequent_indent=later)
    console.print(escape("\n".join(lines)), style="dim", soft_wrap=True)
