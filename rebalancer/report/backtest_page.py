"""A back-test as one HTML file: no script, nothing loaded, light and dark, and fit for a printer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup

from rebalancer.backtest.policies import Bands, Never
from rebalancer.backtest.result import Result
from rebalancer.core.money import plain
from rebalancer.report.backtest import CAVEATS, BacktestHeader, against_never, span_of
from rebalancer.report.frontier import FrontierPoint, destination_words
from rebalancer.report.html import environment
from rebalancer.report.svg import Axis, Line, Mark, plot

STYLES = 7  # of lines, in the style sheet
SHADOW = 0
MONTHS_OF_TICKS = (1, 2, 3, 6, 12, 24, 48, 120)
TICKS_MAX = 9
POLICY_HEADS = (
    "policy", "fee % a year", "cost % a year", "turnover a year", "orders a year", "rms stray, points",
    "worst stray, points", "refused", "last NAV", "against never",
)  # fmt: skip
SETTING_HEADS = (
    "k", "destination", "cost, bp a year", "rms stray, points", "worst stray, points", "orders a year", ""
)  # fmt: skip
METHOD = """\
bands is the planner with these settings, limits and price guards; the others are the rules that other programs \
follow, with the same fee, spread and minimum, and without limits.
Every account starts at its targets, bought at the first close without cost. Fees come out of the coin received. \
Turnover is the greater of all sold and all bought, of NAV, cash left out.
Stray is the Euclidean distance of the weights from their targets, before trading; the worst one is a single \
asset's. Costs are fees and half-spreads, of the NAV that they were paid from, per year of 365.25 days.
""".splitlines()


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its legend and a sentence below."""

    svg: Markup
    lines: Sequence[Line]
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `own` is the owner's policy or setting."""

    name: str
    cells: tuple[str, ...]
    own: bool


def backtest_page(header: BacktestHeader, results: Sequence[Result], frontier: Sequence[FrontierPoint]) -> str:
    """Return the whole page; without frontier points it has no frontier."""
    bands = header.targets.bands
    weights = ", ".join(f"{asset} {plain(weight)} %" for asset, weight in header.targets.weights.items())
    own = (
        f"Targets: {weights}. Bands: rule {bands.rule.value}, k {plain(bands.k)}, floor {plain(bands.floor)}, "
        f"cap {plain(bands.cap)}, destination {plain(bands.destination)}."
    )
    plots = [("NAV", _nav(header, results)), ("Distance from the targets", _stray(results))]
    return (
        environment()
        .get_template("backtest.html.j2")
        .render(
            title=f"Back-test of {', '.join(header.targets.assets)}",
            header=header,
            span=span_of(results[0].times),
            policy_heads=POLICY_HEADS,
            policies=[_policy_row(result) for result in results],
            plots=[(heading, figures) for heading, figures in plots if figures],
            frontier=_frontier(header, frontier) if frontier else None,
            setting_heads=SETTING_HEADS,
            settings=[_setting_row(point) for point in frontier],
            method=[own, *METHOD, *CAVEATS],
        )
    )


def _policy_row(result: Result) -> Row:
    cells = (
        f"{result.fee_percent_year:.3f}", f"{result.cost_percent_year:.3f}", f"{result.turnover_year:.2f}",
        f"{result.orders_year:.1f}", f"{result.rms_pp:.2f}", f"{result.worst_stray_pp:.2f}",
        f"{int(result.denied.sum())}", f"{float(result.nav_quote[-1]):,.2f}", f"{against_never(result):+.1f} %",
    )  # fmt: skip
    return Row(result.policy, cells, own=result.policy == Bands().name)


def _setting_row(point: FrontierPoint) -> Row:
    remark = f"{'this setting ' if point.current else ''}{'*' if point.best else ''}"
    cells = (
        plain(point.bands.destination), f"{point.cost_bps_year:.1f}", f"{point.rms_pp:.2f}",
        f"{point.worst_stray_pp:.2f}", f"{point.orders_year:.0f}", remark,
    )  # fmt: skip
    return Row(plain(point.bands.k), cells, own=point.current)


def _over_time(result: Result, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(at.timestamp(), value) for at, value in zip(result.times, values, strict=True)]


def _trading(results: Sequence[Result]) -> list[tuple[int, Result]]:
    """Return the policies that trade, each with the style of its lines, in the order of drawing: the planner on top."""
    trading = [result for result in results if result.policy != Never().name]
    styled = [(1 + index % (STYLES - 1), result) for index, result in enumerate(trading)]
    return sorted(styled, key=lambda pair: pair[1].policy == Bands().name)


def _nav(header: BacktestHeader, results: Sequence[Result]) -> list[Figure]:
    first, trading = results[0], _trading(results)
    lines = [Line("never rebalanced", _over_time(first, first.shadow_quote.tolist()), SHADOW)]
    lines += [Line(r.policy, _over_time(r, r.nav_quote.tolist()), style) for style, r in trading]
    y = Axis(f"NAV in {header.targets.quote}", lambda value: f"{value:,.6g}", logarithmic=True)
    words = "NAV of each policy, and of the same coins never rebalanced. Equal steps upward are equal factors."
    made = [_figure("NAV over time", lines, _time_axis(first), y, words)]
    ahead = [
        Line(r.policy, _over_time(r, ((r.nav_quote / r.shadow_quote - 1) * 100).tolist()), style)
        for style, r in trading
    ]
    if ahead:
        y = Axis("percent", lambda value: f"{value:.6g}")
        words = "How far each NAV is above or below the same coins never rebalanced: the path's doing, not a promise."
        made.append(_figure("NAV against never rebalanced", ahead, _time_axis(first), y, words))
    return made


def _stray(results: Sequence[Result]) -> list[Figure]:
    trading = _trading(results)
    if not trading:
        return []
    lines = [Line(r.policy, _over_time(r, r.stray_pp.tolist()), style) for style, r in trading]
    y = Axis("points", lambda value: f"{value:.6g}")
    words = "Euclidean distance of the weights from their targets, in percentage points, before each close's trades."
    for result in results:
        if result.policy == Never().name:
            words += f" Without any trade it would have been {result.rms_pp:.1f} on average (rms), too far to draw."
    return [_figure("Distance from the targets over time", lines, _time_axis(results[0]), y, words)]


def _frontier(header: BacktestHeader, points: Sequence[FrontierPoint]) -> Figure:
    lines = []
    for number, (destination, group) in enumerate(groupby(points, key=lambda point: point.bands.destination)):
        name = f"destination {plain(destination)}, {destination_words(destination)}"
        places = [(point.cost_bps_year, point.rms_pp) for point in group]  # in the order of k
        lines.append(Line(name, places, 1 + number % (STYLES - 1), dots=True))
    marks = [Mark(p.cost_bps_year, p.rms_pp, f"k = {plain(p.bands.k)}, this setting") for p in points if p.current]
    x = Axis("cost, bp of NAV a year", lambda value: f"{value:.6g}")
    y = Axis("rms stray, points", lambda value: f"{value:.6g}")
    words = (
        f"Other settings of k (rule {header.targets.bands.rule.value}; floor and cap as they are) and of the "
        "destination, over the same closes. Further left is cheaper, further down is closer; * marks the settings "
        "that nothing tried was both cheaper and closer than."
    )
    return _figure("Cost against stray", lines, x, y, words, marks)


def _figure(title: str, lines: Sequence[Line], x: Axis, y: Axis, words: str, marks: Sequence[Mark] = ()) -> Figure:
    return Figure(Markup(plot(title, lines, x, y, marks)), lines, words)  # noqa: S704  # `plot` escapes every word


def _time_axis(result: Result) -> Axis:
    """Return an axis with ticks at the beginnings of months, of so many that they can be read."""
    first, last = result.times[0], result.times[-1]
    months = [(year, month) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    starts = [datetime(year, month, 1, tzinfo=UTC) for year, month in months]
    inside = [at for at in starts if first <= at <= last]
    every = next((each for each in MONTHS_OF_TICKS if len(inside) / each <= TICKS_MAX), MONTHS_OF_TICKS[-1])
    ticks = [at for at in inside if ((at.year * 12 + at.month - 1) % every) == 0]
    form = "%Y-%m" if ticks else "%Y-%m-%d"

    def show(value: float) -> str:
        return datetime.fromtimestamp(value, UTC).strftime(form)

    return Axis("", show, ticks=[at.timestamp() for at in ticks or (first, last)])
