"""The plan as CSV and as Markdown. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal

from rebalancer.core.money import ZERO, plain
from rebalancer.core.plan import Plan
from rebalancer.core.plan_json import PlanHeader
from rebalancer.core.targets import OrderType
from rebalancer.report.result import OrderEnd
from rebalancer.report.words import amount, apart, closing, money, percent, printable, signed_points, worth, worth_here

COLUMNS = (
    "cycle_id", "taken_at", "mode", "venue", "asset", "free", "locked", "price", "value_quote", "weight", "target",
    "band_low", "band_high", "drift", "decision", "order_quantity", "order_spend_quote", "order_limit_price",
    "fee_quote", "reason_code", "reason", "state", "kept", "external",
)  # fmt: skip
_MARKUP = re.compile(r"[\\`*_\[\]|]")


def plan_csv(plan: Plan, header: PlanHeader) -> str:
    """Return a line an asset, with its order's size where it has one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    collars = {leg.asset: plain(leg.collar) for leg in plan.legs if leg.collar is not None and leg.direct is None}
    for line in plan.assets:
        sold, spent_quote, fee_quote = _orders_of(plan, line.asset)
        figures = (
            line.free, line.locked, line.price, line.value_quote, line.weight, line.target, line.band_low,
            line.band_high, line.drift,
        )  # fmt: skip
        writer.writerow(
            [
                header.cycle_id, plan.taken_at.isoformat(), header.mode, header.venue, line.asset,
                *(plain(figure) for figure in figures), line.decision.value,
                *(plain(sum(each, ZERO)) if each else "" for each in (sold, spent_quote)), collars.get(line.asset, ""),
                plain(sum(fee_quote, ZERO)) if fee_quote else "",
                line.reason.code.value, field_text(line.reason.text),
                line.state.value, plain(line.kept), plain(line.external),
            ]
        )  # fmt: skip
    return out.getvalue()


def _orders_of(plan: Plan, asset: str) -> tuple[list[Decimal], list[Decimal], list[Decimal]]:
    """Return what an asset's orders sell of it, what they spend on it in quote, and their fees, each fee once."""
    if asset == plan.quote:
        return [], [], []
    sells = [leg for leg in plan.legs if leg.spent == asset]
    buys = [leg for leg in plan.legs if leg.received == asset]
    charged = [leg.fee_quote for leg in (*buys, *sells) if leg.direct is None or leg.received == asset]
    sold = [leg.size.value for leg in sells]
    return sold, [leg.notional_quote for leg in buys], charged


def plan_markdown(plan: Plan, header: PlanHeader, *, ends: Sequence[OrderEnd] = (), ended: Sequence[str] = ()) -> str:
    """Return the report as Markdown; of a run that is over with its orders' ends and its own."""
    lines = [
        f"# {header.mode.upper()} on {header.venue}",
        "",
        f"{plan.taken_at:%Y-%m-%d %H:%M:%S} UTC, {worth(plan)}. {closing(plan, header.mode)}",
        *([worth_here(plan)] if worth_here(plan) else []),
        "",
        *(f"- **{denial.code.value}**: {cell(denial.text)}" for denial in (*plan.denials, *plan.warnings)),
    ]
    if plan.assets:
        lines += ["", f"| asset | holds | in {plan.quote} | now % | target % | band % | drift | | why |"]
        lines += ["|---|--:|--:|--:|--:|--:|--:|---|---|"]
    for line in plan.assets:
        band = f"{percent(line.band_low, 1)} to {percent(line.band_high, 1)}"
        cells = (
            line.asset, amount(line.free + line.locked), money(line.value_quote), percent(line.weight),
            percent(line.target), band, signed_points(line.drift), line.decision.value, cell(line.reason.text),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    if plan.legs:
        lines += ["", "| # | order | size | notional | fee | slippage bps |", "|--:|---|--:|--:|--:|--:|"]
    for leg in plan.legs:
        slip = f"{leg.spread_cost_bps + leg.impact_bps:.1f}"
        limit = "" if leg.collar is None else f" {OrderType.IOC} at {plain(leg.collar)} or better"
        lines.append(
            f"| {leg.intent_seq} | {leg.side.value} {leg.symbol}{limit} | {amount(leg.size.value)} {leg.spent} "
            f"| {money(leg.notional_quote)} | {money(leg.fee_quote)} | {slip} |"
        )
    beside = [skip for skip in plan.skips if skip.asset not in {line.asset for line in plan.assets}]
    lines += [""] if beside or plan.notes else []
    lines += [f"- {cell(skip.asset)}: {cell(skip.reason.text)}" for skip in beside]
    lines += [f"- {cell(note)}" for note in plan.notes]
    lines += [f"- {cell(text)}" for text in map(apart, plan.assets) if text]
    lines += ["", *_ends(ends)] if ends else []
    lines += ["", *(cell(text) for text in ended)] if ended else []
    return "\n".join(lines) + "\n"


def ended_markdown(header: PlanHeader, ended: Sequence[str]) -> str:
    """Return the Markdown of a run that ended before it had a plan."""
    return "\n".join([f"# {header.mode.upper()} on {header.venue}", "", *(cell(text) for text in ended)]) + "\n"


def _ends(ends: Sequence[OrderEnd]) -> list[str]:
    lines = ["| # | ended | coin | for | fees | shortfall bps | |", "|--:|---|--:|--:|---|--:|---|"]
    for end in ends:
        fees = " + ".join(f"{amount(paid)} {asset}" for asset, paid in end.fees.items())
        cells = (
            str(end.leg.intent_seq), end.state.value, f"{amount(end.filled_quantity)} {end.leg.asset}",
            f"{amount(end.filled_quote)} {end.leg.quote}", fees,
            "" if end.shortfall_bps is None else f"{end.shortfall_bps:.1f}", cell(end.text),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def cell(text: str) -> str:
    """Return foreign words that are no markup: no cell, tag, link, image, code or emphasis begins in them."""
    return _MARKUP.sub(r"\\\g<0>", printable(text).replace("&", "&amp;").replace("<", "&lt;"))


def field_text(text: str) -> str:
    """Return words that no spreadsheet takes for a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(("=", "+", "-", "@")) else shown
