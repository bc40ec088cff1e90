"""`rebalancer backtest`: the same planner over price history. Trades nothing, and writes only closes and results."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.context import connect, journal_to_read, load_checked_targets, load_settings, make_state_dir, note
from rebalancer.cli.terminal import echo_document, heading
from rebalancer.core.model import CandlePeriod
from rebalancer.core.money import HUNDRED, parse_decimal
from rebalancer.errors import Unavailable
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.backtest.result import Result
    from rebalancer.backtest.series import Series
    from rebalancer.cli.candles import Kept
    from rebalancer.cli.context import Connection
    from rebalancer.report.backtest import BacktestHeader
    from rebalancer.report.frontier import FrontierPoint
    from rebalancer.settings import Settings

HOURS_A_DAY = 24
FORMATS = ("text", "json", "html", "csv")
NAV_QUOTE = Decimal(10_000)  # where no run has seen the account's own


class Number(click.ParamType):  # type: ignore[type-arg]  # only click 8.3 makes it generic
    """An exact number of the command line."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the number, or say what is wrong with it."""
        if isinstance(value, Decimal):
            return value
        try:
            return parse_decimal(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a number such as 0.2", param, ctx)


@click.group(
    epilog="\b\nExamples:\n  rebalancer backtest fetch\n  rebalancer backtest run --format html --output report.html"
)
def command() -> None:
    """Say what the targets would have cost over price history, and how far they would have strayed."""


_PERIOD = click.option(
    "--period",
    type=click.Choice([period.value for period in CandlePeriod]),
    default=CandlePeriod.DAY.value,
    show_default=True,
    help="Of one candle.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_ASSUMPTIONS = (
    click.option("--prices", type=click.Path(path_type=Path, dir_okay=False),
                 help="A CSV of closes (date or time_utc, then a column a coin) instead of what was fetched."),
    _PERIOD,
    click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="First day."),
    click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="Last day."),
    click.option("--fee", type=Number(), default="0.2", show_default=True, help="Percent of an order."),
    click.option("--spread-bps", type=Number(), default="0", show_default=True, help="From bid to ask."),
    click.option("--nav", type=Number(), help="Size at the start in quote; the last run's, or 10000."),
    click.option("--min-order", type=Number(), default="10", show_default=True, help="No order below this, in quote."),
)  # fmt: skip


def _assumptions(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which a back-test is told of prices, exchange and account."""
    for option in reversed(_ASSUMPTIONS):
        function = option(function)
    return function


@command.command(short_help="Fetch the closes of the targets' coins, and keep them.")
@click.option("--days", type=click.IntRange(1), help="How far back; as far as one request reaches by default.")
@_PERIOD
@_JSON
def fetch(*, days: int | None, period: str, as_json: bool) -> None:
    """Fetch public candles of the targets' coins and keep their closes in the state directory; needs no key.

    What is there already is not asked for again.
    """
    from rebalancer.cli.candles import PERIODS_MAX, fetch_candles, folder_of  # noqa: PLC0415
    from rebalancer.cli.progress import progress_bar  # noqa: PLC0415

    settings = load_settings()
    targets = load_checked_targets(settings.paths.targets, live=False)
    wanted = CandlePeriod(period)
    a_day = HOURS_A_DAY if wanted is CandlePeriod.HOUR else 1
    if days is not None and days * a_day > PERIODS_MAX:
        raise click.BadParameter(
            f"one request reaches back {PERIODS_MAX // a_day} days of {period} candles at most", param_hint="--days"
        )
    make_state_dir(settings)
    kind, folder = settings.public_kind, folder_of(settings, wanted)
    clock = SystemClock(settings.clock_rate)
    with connect(settings, kind, clock=clock, codes=targets.codes, keep=True, signed=False) as connection:
        keep_market(settings, connection)
        try:
            with progress_bar("candles", len(targets.assets) - 1) as tell:
                periods = PERIODS_MAX if days is None else days * a_day
                kept = fetch_candles(connection, targets, folder, wanted, periods, tell=tell)
        except Unavailable as exc:
            hint = "; REBALANCER_VENUE=embedded has a simulated past" if kind == "htx" else ""
            raise Unavailable(f"{exc}{hint}", code=exc.code) from None
    if as_json:
        where = {"mode": settings.mode, "venue": kind, "quote": targets.quote, "period": period}
        rows = [each.document() for each in kept]
        echo_document({"schema": "rebalancer.candles/1", **where, "folder": str(folder), "coins": rows})
    else:
        click.echo(f"{heading(settings.mode, kind)}  {period} candles in {targets.quote}")
        click.echo("\n".join(_kept_lines(kept)))
        click.echo(f"kept in {folder}")


def _kept_lines(kept: list[Kept]) -> list[str]:
    lines = [f"{'coin':<10}{'closes':>8}{'new':>8}   {'from':<12}{'to':<12}{'longest gap':>16}"]
    for each in kept:
        row = each.document()
        span = [row[name][:10] if row[name] else "-" for name in ("from", "to")]
        gap = f"{row['longest_gap_h']:,.0f} h"
        lines.append(f"{each.asset:<10}{row['closes']:>8,}{each.new:>8,}   {span[0]:<12}{span[1]:<12}{gap:>16}")
    return lines


def keep_market(settings: Settings, connection: Connection) -> None:
    """Keep an embedded exchange that is only in memory so far: another one tomorrow would have had another past."""
    if connection.embedded is None:
        return
    from rebalancer.cli.embedded import STATE_NAME, save_exchange  # noqa: PLC0415
    from rebalancer.service.lock import hold_lock  # noqa: PLC0415

    path = settings.paths.embedded / STATE_NAME
    if not path.exists():
        with hold_lock(settings.paths.lock):
            save_exchange(path, connection.embedded.exchange)


@command.command(
    short_help="Compare policies over the fetched closes, or over a file.",
    epilog="\b\nExamples:\n  rebalancer backtest run --from 2024-01-01\n"
    "  rebalancer backtest run --prices closes.csv --policies bands,never --format csv",
)
@click.option("--policies", default="bands,threshold,calendar,sell_all,never", show_default=True,
              help="A comma list; calendar is monthly, calendar-week and calendar-day are the others.")  # fmt: skip
@_assumptions
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Of the report.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def run(*, policies: str, form: str, as_json: bool, output: Path | None, **assumed: Any) -> None:
    """Run the planner in service, with your own targets, and simpler policies over the same closes.

    Shows fees, turnover, orders and tracking error of each, and where never rebalancing would have ended.
    """
    from rebalancer.cli.backtests import find_frontier, policies_of, remember, run_all  # noqa: PLC0415
    from rebalancer.cli.plan import write_report  # noqa: PLC0415
    from rebalancer.cli.progress import progress_bar  # noqa: PLC0415
    from rebalancer.report.frontier import settings_to_try  # noqa: PLC0415

    settings, form = load_settings(), "json" if as_json else form
    wanted = policies_of(policies)
    series, header = _begin(settings, **assumed)
    with progress_bar("back-test", len(wanted) * len(series)) as tell:
        results = run_all(wanted, series, header.targets, header.setting, tell=tell)
    frontier: list[FrontierPoint] = []
    if form == "html":
        with progress_bar("settings", len(settings_to_try(header.targets.bands))) as tell:
            frontier = find_frontier(series, header.targets, header.setting, tell=tell)
    remember(settings, header, results, SystemClock().now())
    shown = _render(header, results, frontier, form)
    if output is None:
        click.echo(shown, nl=False)
        return
    write_report(output, shown)
    if form != "json":
        note(f"{heading(header.mode, header.venue)}: the report is in {output}")


def _begin(
    settings: Settings,
    *,
    fee: Decimal,
    spread_bps: Decimal,
    nav: Decimal | None,
    min_order: Decimal,
    prices: Path | None,
    period: str,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Series, BacktestHeader]:
    """Return the closes asked for, and what the report begins with."""
    from rebalancer.backtest.setting import BacktestSetting  # noqa: PLC0415
    from rebalancer.cli.backtests import series_of  # noqa: PLC0415
    from rebalancer.report.backtest import BacktestHeader  # noqa: PLC0415

    targets = load_checked_targets(settings.paths.targets, live=False)
    series, source = series_of(settings, targets, prices=prices, period=CandlePeriod(period), since=since, until=until)
    size = _last_nav(settings) if nav is None else nav
    setting = BacktestSetting(fee / HUNDRED, spread_bps, size, min_order)
    return series, BacktestHeader(settings.mode, settings.public_kind, source, targets, setting)


def _last_nav(settings: Settings) -> Decimal:
    """Return what the account was worth when a run last looked."""
    path = settings.paths.journal(settings.venue_kind)
    if not path.exists():
        return NAV_QUOTE
    with journal_to_read(path, SystemClock()) as journal:
        return journal.state.nav_validated_quote or NAV_QUOTE


def _render(header: BacktestHeader, results: list[Result], frontier: list[FrontierPoint], form: str) -> str:
    from rebalancer.report import backtest as report  # noqa: PLC0415

    match form:
        case "json":
            import json  # noqa: PLC0415

            return json.dumps(report.backtest_document(header, results), indent=2) + "\n"
        case "csv":
            return report.backtest_csv(results)
        case "html":
            from rebalancer.report.backtest_page import backtest_page  # noqa: PLC0415

            return backtest_page(header, results, frontier)
    return report.backtest_text(header, results)


@command.command(
    short_help="What other bands would have cost and strayed; changes nothing.",
    epilog="\b\nExamples:\n  rebalancer backtest suggest\n  rebalancer backtest suggest --nav 3000 --fee 0.15",
)
@_assumptions
@_JSON
def suggest(*, as_json: bool, **assumed: Any) -> None:
    """Try other band factors and destinations with your own weights, fee and size, on all cores.

    Marks the setting in force. Writes nothing: a change is made in targets.toml, by you.
    """
    from rebalancer.cli.backtests import find_frontier  # noqa: PLC0415
    from rebalancer.cli.progress import progress_bar  # noqa: PLC0415
    from rebalancer.report.backtest import suggest_document, suggest_text  # noqa: PLC0415
    from rebalancer.report.frontier import settings_to_try  # noqa: PLC0415

    settings = load_settings()
    series, header = _begin(settings, **assumed)
    with progress_bar("settings", len(settings_to_try(header.targets.bands))) as tell:
        points = find_frontier(series, header.targets, header.setting, tell=tell)
    if as_json:
        echo_document(suggest_document(header, series.times, points))
    else:
        click.echo(suggest_text(header, series.times, points), nl=False)
