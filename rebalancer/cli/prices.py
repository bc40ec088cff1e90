"""`rebalancer prices`: public market data; needs no key."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from rebalancer.cli.context import connect, load_settings
from rebalancer.cli.terminal import echo_document, heading
from rebalancer.core.money import BPS, plain
from rebalancer.errors import ConfigError, Unavailable
from rebalancer.service.clock import SystemClock


@click.command(epilog="\b\nExamples:\n  rebalancer prices\n  rebalancer prices BTC ETH --quote USDT --json")
@click.argument("assets", nargs=-1)
@click.option("--quote", default=None, help="Quote coin; that of targets.toml by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, assets: tuple[str, ...], quote: str | None, as_json: bool) -> None:
    """Show bid, ask, spread and 24 h change of ASSETS (those of targets.toml by default)."""
    settings = load_settings()
    wanted, quote_coin, codes = _wanted(settings.paths.targets, assets, quote)
    kind = settings.public_kind
    with connect(settings, kind, clock=SystemClock(settings.clock_rate), codes=codes, signed=False) as connection:
        try:
            rows = _rows(connection, wanted, quote_coin)
        except Unavailable as exc:
            hint = "; REBALANCER_VENUE=embedded shows the simulated exchange" if kind == "htx" else ""
            raise Unavailable(f"{exc}{hint}", code=exc.code) from None
    if as_json:
        where = {"mode": settings.mode, "venue": kind}
        echo_document({"schema": "rebalancer.prices/1", **where, "quote": quote_coin, "prices": rows})
    else:
        click.echo(f"{heading(settings.mode, kind)}  prices in {quote_coin}")
        click.echo(f"{'asset':<8}{'bid':>16}{'ask':>16}{'spread bps':>12}{'24 h %':>9}")
        for row in rows:
            click.echo(
                f"{row['asset']:<8}{row['bid']:>16}{row['ask']:>16}{row['spread_bps']:>12}{row['change_24h_pct']:>9}"
            )


def _wanted(path: Any, assets: tuple[str, ...], quote: str | None) -> tuple[list[str], str, dict[str, str]]:
    """Return the assets, the quote coin and the code map; without names the targets file says which."""
    if assets and quote:
        return [asset.upper() for asset in assets], quote.upper(), {}
    from rebalancer.targets.file import load_targets  # noqa: PLC0415

    if assets and not path.exists():
        return [asset.upper() for asset in assets], "USDT", {}
    targets = load_targets(path)
    named = [asset.upper() for asset in assets] or [a for a in targets.assets if a != targets.quote]
    return named, (quote or targets.quote).upper(), dict(targets.codes)


def _rows(connection: Any, wanted: list[str], quote: str) -> list[dict[str, str]]:
    from rebalancer.service.observe import book_or_none  # noqa: PLC0415

    venue = connection.venue
    symbols = [venue.symbol_of(asset, quote) for asset in wanted]
    tickers, *books = connection.gather([venue.fetch_tickers, *(partial(book_or_none, venue, s) for s in symbols)])
    rows = []
    for asset, symbol, book in zip(wanted, symbols, books, strict=True):
        if book is None or book.mid is None or symbol not in tickers:
            raise ConfigError(f"{asset}: there is no open market {asset}/{quote} with two sides; check the name")
        bid, ask, opened = book.bids[0].price, book.asks[0].price, tickers[symbol].open_24h
        rows.append(
            {
                "asset": asset,
                "bid": plain(bid),
                "ask": plain(ask),
                "last": plain(tickers[symbol].last),
                "spread_bps": f"{(ask - bid) / book.mid * BPS:.1f}",
                "change_24h_pct": f"{(book.mid / opened - 1) * 100:+.2f}",
            }
        )
    return rows
