"""The tables of `history` that tax programs import."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import note
from rebalancer.cli.progress import progress_bar

if TYPE_CHECKING:
    from rebalancer.journal.state import IntentRecord
    from rebalancer.journal.store import Journal
    from rebalancer.journal.trades import Traded
    from rebalancer.settings import Settings

TAX = ("cointracking", "koinly")
PLACES = {"htx": "HTX"}  # a simulated exchange must not pass for it in anybody's taxes
DOLLAR = "USD"


def tax_table(
    settings: Settings,
    journal: Journal,
    program: str,
    period: tuple[datetime | None, datetime | None],
    account_currency: str | None,
) -> str:
    """Return every trade of a period as that program imports it; what an owner should know of it goes to stderr."""
    from rebalancer.journal import trades as trading  # noqa: PLC0415
    from rebalancer.report.tax import TaxSetting, cointracking_csv, koinly_csv  # noqa: PLC0415

    quote = journal.state.binding.quote if journal.state.binding else ""
    values = account_currency is not None and _counts_in(quote, account_currency)
    place = PLACES.get(settings.venue_kind, f"HTX simulated ({settings.venue_kind})")
    told: list[Traded | IntentRecord] = []
    runs = trading.runs_signed(journal, *period)
    with progress_bar("reading trades", len(runs)) as progress:
        for number, run_id in enumerate(runs, start=1):
            told += trading.traded_in(journal, run_id, *period)
            progress(number)
    trades = sorted((each for each in told if isinstance(each, trading.Traded)), key=lambda trade: trade.at)
    made = (koinly_csv if program == "koinly" else cointracking_csv)(trades, TaxSetting(place, quote, values))
    _say(settings, trades, open_orders=len(told) - len(trades))
    return made


def _counts_in(quote: str, currency: str) -> bool:
    """Return that a value in the quote coin may stand as one in that currency; UsageError where it may not."""
    if currency.upper() != quote and not (currency.upper() == DOLLAR and DOLLAR in quote):
        raise click.UsageError(
            f"--account-currency {currency}: the values are recorded in {quote or 'no coin yet'}, and no rate to "
            f"{currency} is; leave it out, and CoinTracking values the trades by their moments"
        )
    return True


def _say(settings: Settings, trades: list[Traded], *, open_orders: int) -> None:
    days = f", {trades[0].at:%Y-%m-%d} to {trades[-1].at:%Y-%m-%d}" if trades else ""
    note(f"{len(trades)} trade(s) on {settings.venue_kind}{days}; moments are UTC")
    if settings.venue_kind not in PLACES:
        note("! these trades are simulated: nothing of them belongs in a tax declaration")
    if open_orders:
        note(f"! {open_orders} order(s) are not settled and not in it: `rebalancer status`; export again after that")
    if any(trade.owner_said for trade in trades):
        note("! what only the owner acknowledged is in it without its fees: complete it by the exchange's own export")
