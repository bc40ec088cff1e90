"""`rebalancer backtest`: the same planner over price history. Trades nothing; writes only what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import connect, load_checked_targets, load_settings, make_state_dir
from rebalancer.cli.terminal import echo_document, heading
from rebalancer.core.model import CandlePeriod
from rebalancer.errors import Unavailable
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.cli.candles import Kept
    from rebalancer.cli.context import Connection
    from rebalancer.settings import Settings

HOURS_A_DAY = 24


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
            with progress_bar("candles", len(targets.assets) - 1) as advance:
                periods = PERIODS_MAX if days is None else days * a_day
                kept = fetch_candles(connection, targets, folder, wanted, periods, advance=advance)
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
