"""A back-test as one HTML file: no script, nothing loaded, light and dark, and fit for a printer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby

from rebalancer.backtest.policies import Bands, Never
from rebalancer.backtest.result import Result
from rebalancer.core.money import plain
from rebalancer.report.backtest import CAVEATS, BacktestHeader, against_never, span_of
from rebalancer.report.frontier import FrontierPoint, destination_words
from rebalancer.report.svg import Axis, Line, Mark, plot
from rebalancer.report.words import printable

STYLES = 7  # of lines, in the style sheet below
SHADOW = 0
MONTHS_OF_TICKS = (1, 2, 3, 6, 12, 24, 48, 120)
TICKS_MAX = 9
FIGURES = ("fee % a year", "cost % a year", "turnover a year", "orders a year", "rms stray, points",
           "worst stray, points", "refused", "last NAV", "against never")  # fmt: skip

METHOD = """\
bands is the planner with these settings, limits and price guards; the others are the rules that other programs \
follow, with the same fee, spread and minimum, and without limits.
Every account starts at its targets, bought at the first close without cost. Fees come out of the coin received. \
Turnover is the greater of all sold and all bought, of NAV, cash left out.
Stray is measured before trading. Costs are of the NAV that they were paid from, per year of 365.25 days.
""".splitlines()

# The colours are told apart also by people who do not tell red from green; on paper the dashes tell the lines apart.
STYLE = """
:root{--back:#fff;--ink:#1b1f24;--soft:#667;--grid:#dde1e6;
--c0:#667;--c1:#0b62a8;--c2:#b85c00;--c3:#0a7d5a;--c4:#8e3a9d;--c5:#a3262a;--c6:#6b6b00}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--ink:#e6e8ea;--soft:#9aa4ae;--grid:#2c3238;
--c0:#9aa4ae;--c1:#6cb4f0;--c2:#f0a050;--c3:#4fd0a5;--c4:#d08fe0;--c5:#f07f83;--c6:#d0d060}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:60rem;
background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}p,li{max-width:46rem}
.soft,figcaption{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;text-align:right;border-bottom:1px solid var(--grid);vertical-align:bottom}
th:first-child,td:first-child{text-align:left;white-space:nowrap}
tr.mine{font-weight:600}
figure{margin:0}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font-size:11px;paint-order:stroke;stroke:var(--back);stroke-width:3px}
.grid{stroke:var(--grid);stroke-width:1}
polyline{fill:none;stroke-width:1.3;stroke-linejoin:round}
.mark{fill:none;stroke:var(--ink);stroke-width:2}
.key{display:inline-block;margin-right:1.1rem;white-space:nowrap}.key svg{display:inline;width:28px;height:8px}
""" + "".join(
    f".s{number}{{stroke:var(--c{number})}}circle.s{number}{{fill:var(--c{number})}}"
    f"polyline.s{number}{{stroke-dasharray:{dash}}}\n"
    for number, dash in enumerate(("7 4", "none", "9 2", "2 2", "6 2 2 2", "12 3", "4 4"))
) + """
@page{size:A4;margin:14mm}
@media print{:root{--back:#fff;--ink:#000;--soft:#444;--grid:#ccc;
--c0:#555;--c1:#0b62a8;--c2:#b85c00;--c3:#0a7d5a;--c4:#8e3a9d;--c5:#a3262a;--c6:#6b6b00}
body{max-width:none;padding:0;font-size:8.5pt;line-height:1.35}p,li{max-width:none}
h2{break-after:avoid}figure,tr{break-inside:avoid}.wide{overflow:visible}th,td{padding:.15rem .3rem}}
"""  # fmt: skip


def backtest_page(header: BacktestHeader, results: Sequence[Result], frontier: Sequence[FrontierPoint]) -> str:
    """Return the whole page; without frontier points it has no frontier."""
    title = f"Back-test of {', '.join(header.targets.assets)}"
    about = (
        f"{header.mode.upper()} on {header.venue}. Closes: {header.source}. {span_of(results[0].times)}; "
        f"{header.assumptions()}."
    )
    parts = [
        f"<h1>{_safe(title)}</h1>",
        f'<p class="soft">{_safe(about)}</p>',
        "<h2>Policies side by side</h2>",
        _table(results),
        "<h2>NAV</h2>",
        *_nav(header, results),
        "<h2>Distance from the targets</h2>",
        _stray(results),
        *(_frontier(header, frontier) if frontier else ()),
        "<h2>Method, and what it does not say</h2>",
        _method(header),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_safe(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _safe(text: str) -> str:
    return escape(printable(text))


def _table(results: Sequence[Result]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("policy", *FIGURES))
    rows = []
    for result in results:
        cells = (
            f"{result.fee_percent_year:.3f}", f"{result.cost_percent_year:.3f}", f"{result.turnover_year:.2f}",
            f"{result.orders_year:.1f}", f"{result.rms_pp:.2f}", f"{result.worst_stray_pp:.2f}",
            f"{int(result.denied.sum())}", f"{float(result.nav_quote[-1]):,.2f}", f"{against_never(result):+.1f} %",
        )  # fmt: skip
        mine = ' class="mine"' if result.policy == Bands().name else ""
        rows.append(f'<tr{mine}><th scope="row">{_safe(result.policy)}</th>')
        rows.append("".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _over_time(result: Result, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(at.timestamp(), value) for at, value in zip(result.times, values, strict=True)]


def _trading(results: Sequence[Result]) -> list[tuple[int, Result]]:
    """Return the policies that trade, each with the style of its lines, in the order of drawing: the planner on top."""
    trading = [result for result in results if result.policy != Never().name]
    styled = [(1 + index % (STYLES - 1), result) for index, result in enumerate(trading)]
    return sorted(styled, key=lambda pair: pair[1].policy == Bands().name)


def _nav(header: BacktestHeader, results: Sequence[Result]) -> list[str]:
    first, trading = results[0], _trading(results)
    lines = [Line("never rebalanced", _over_time(first, first.shadow_quote.tolist()), SHADOW)]
    lines += [Line(r.policy, _over_time(r, r.nav_quote.tolist()), style) for style, r in trading]
    y = Axis(f"NAV in {printable(header.targets.quote)}", lambda value: f"{value:,.6g}", logarithmic=True)
    words = "NAV of each policy, and of the same coins never rebalanced. Equal steps upward are equal factors."
    made = [_figure(plot("NAV over time", lines, _time_axis(first), y), lines, words)]
    ahead = [
        Line(r.policy, _over_time(r, ((r.nav_quote / r.shadow_quote - 1) * 100).tolist()), style)
        for style, r in trading
    ]
    if ahead:
        y = Axis("percent", lambda value: f"{value:.6g}")
        words = "How far each NAV is above or below the same coins never rebalanced: the path's doing, not a promise."
        made.append(_figure(plot("NAV against never rebalanced", ahead, _time_axis(first), y), ahead, words))
    return made


def _stray(results: Sequence[Result]) -> str:
    trading = _trading(results)
    if not trading:
        return "<p>No policy that trades was asked for.</p>"
    lines = [Line(r.policy, _over_time(r, r.stray_pp.tolist()), style) for style, r in trading]
    y = Axis("points", lambda value: f"{value:.6g}")
    words = "Euclidean distance of the weights from their targets, in percentage points, before each close's trades."
    for result in results:
        if result.policy == Never().name:
            words += f" Without any trade it would have been {result.rms_pp:.1f} on average (rms), too far to draw."
    shown = plot("Distance from the targets over time", lines, _time_axis(trading[0][1]), y)
    return _figure(shown, lines, words)


def _figure(drawn: str, lines: Sequence[Line], words: str) -> str:
    keys = "".join(
        f'<span class="key"><svg viewBox="0 0 28 8" aria-hidden="true">'
        f'<polyline class="s{line.style}" points="0,4 28,4"/></svg> {_safe(line.name)}</span>'
        for line in lines
    )
    return f"<figure>{drawn}<p>{keys}</p><figcaption>{_safe(words)}</figcaption></figure>"


def _time_axis(result: Result) -> Axis:
    """Return an axis with ticks at the beginnings of months, of so many that they can be read."""
    first, last = result.times[0], result.times[-1]
    months = [(year, month) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    starts = [datetime(year, month, 1, tzinfo=UTC) for year, month in months]
    inside = [at for at in starts if first <= at <= last]
    every = next((each for each in MONTHS_OF_TICKS if len(inside) / each <= TICKS_MAX), MONTHS_OF_TICKS[-1])
    ticks = [at for at in inside if ((at.year * 12 + at.month - 1) % every) == 0] or [first, last]
    form = "%Y-%m-%d" if not inside else "%Y-%m"

    def show(value: float) -> str:
        return datetime.fromtimestamp(value, UTC).strftime(form)

    return Axis("", show, ticks=[at.timestamp() for at in ticks])


def _frontier(header: BacktestHeader, points: Sequence[FrontierPoint]) -> list[str]:
    lines, rows = [], []
    for number, (destination, group) in enumerate(groupby(points, key=lambda point: point.bands.destination), start=1):
        found = list(group)
        name = f"destination {plain(destination)}, {destination_words(destination)}"
        places = [(point.cost_bps_year, point.rms_pp) for point in found]  # in the order of k
        lines.append(Line(name, places, 1 + (number - 1) % (STYLES - 1), dots=True))
        rows += [_frontier_row(point) for point in found]
    marks = [Mark(p.cost_bps_year, p.rms_pp, f"k = {plain(p.bands.k)}, this setting") for p in points if p.current]
    x, y = Axis("cost, bp of NAV a year", lambda value: f"{value:.6g}"), Axis("rms stray, points", lambda v: f"{v:.6g}")
    words = (
        f"Other settings of k (rule {header.targets.bands.rule.value}; floor and cap as they are) and of the "
        "destination, over the same closes. Further left is cheaper, further down is closer; * marks the settings "
        "that nothing tried was both cheaper and closer than."
    )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in (
            "k",
            "destination",
            "cost, bp a year",
            "rms stray, points",
            "worst stray, points",
            "orders a year",
            "",
        )
    )
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    return [
        "<h2>Cost against closeness</h2>",
        _figure(plot("Cost against stray", lines, x, y, marks), lines, words),
        table,
    ]


def _frontier_row(point: FrontierPoint) -> str:
    remark = f"{'this setting ' if point.current else ''}{'*' if point.best else ''}"
    cells = (
        plain(point.bands.destination), f"{point.cost_bps_year:.1f}", f"{point.rms_pp:.2f}",
        f"{point.worst_stray_pp:.2f}", f"{point.orders_year:.0f}", remark,
    )  # fmt: skip
    mine = ' class="mine"' if point.current else ""
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr{mine}><th scope="row">{plain(point.bands.k)}</th>{row}</tr>'


def _method(header: BacktestHeader) -> str:
    bands = header.targets.bands
    weights = ", ".join(f"{asset} {plain(weight)} %" for asset, weight in header.targets.weights.items())
    own = (
        f"Targets: {weights}. Bands: rule {bands.rule.value}, k {plain(bands.k)}, floor {plain(bands.floor)}, "
        f"cap {plain(bands.cap)}, destination {plain(bands.destination)}."
    )
    return "<ul>" + "".join(f"<li>{_safe(item)}</li>" for item in (own, *METHOD, *CAVEATS)) + "</ul>"
