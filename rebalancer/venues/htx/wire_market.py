"""Market data and reference data of HTX as core values. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.model import (
    Book,
    Candle,
    CandlePeriod,
    FeeRate,
    Level,
    MarketRules,
    MarketState,
    MarketStatus,
    Ticker,
)
from rebalancer.core.money import step_of_digits
from rebalancer.errors import MalformedReply
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.decode import EPOCH, Fields

SECONDS_MAX = 10**11
DAY_SHIFT_S = 8 * 3600  # HTX API reference, 4: day candles start at 00:00 GMT+8
DIGITS_MAX = 18  # decimals of any HTX figure
TAKER_RATE_MAX = Decimal("0.05")  # HTX's dearest pairs take a tenth of it; far beyond, no plan can be trusted


def parse_server_time(payload: dict[str, Any]) -> datetime:
    """Return the exchange's clock (`/v1/common/timestamp`)."""
    return Fields("timestamp", payload).moment("data")


def parse_market_status(payload: dict[str, Any]) -> MarketStatus:
    """Return whether the exchange trades (`/v2/market-status`); an unknown state is malformed, not normal."""
    data = Fields("market-status", payload).below("data")
    try:
        state = MarketState(data.whole("marketStatus"))
    except ValueError:
        raise MalformedReply("market-status: unknown marketStatus") from None
    halt_end = data.moment("haltEndTime") if "haltEndTime" in data else None
    return MarketStatus(state, data.label("affectedSymbols"), halt_end)


def parse_rules(payload: dict[str, Any], codes: CodeMap) -> dict[str, MarketRules]:
    """Return every symbol's rules (`/v1/settings/common/market-symbols`, short names).

    A row that cannot be read is left out: a target on it is then a missing symbol, which stops its plan, while the
    oddities of thousands of other listings stop nothing.
    """
    made: dict[str, MarketRules] = {}
    for row in Fields("market-symbols", payload).rows("data"):
        try:
            rules = _rules_of(Fields("market-symbols.data", row), codes)
        except MalformedReply:
            continue
        if rules.symbol in made:
            raise MalformedReply(f"market-symbols: {rules.symbol} is listed twice")
        made[rules.symbol] = rules
    if not made:
        raise MalformedReply("market-symbols: no readable symbol")
    return made


def _rules_of(row: Fields, codes: CodeMap) -> MarketRules:
    return MarketRules(
        symbol=row.word("symbol"),
        base=codes.asset_of(row.word("bc")),
        quote=codes.asset_of(row.word("qc")),
        online=row.word("state") == "online",
        api_enabled=row.word("at") == "enabled",
        tick_size=_step(row, "pp"),
        lot_size=_step(row, "ap"),
        quote_step=_step(row, "vp"),
        min_notional=row.positive("minov"),
        sell_quantity_min=row.not_negative("smminoa"),
        sell_quantity_max=row.positive("smmaxoa"),
        buy_notional_max=row.positive("bmmaxov"),
        limit_quantity_min=_limit_bound(row, "lominoa"),
        limit_buy_quantity_max=_limit_bound(row, "lomaxba", "lomaxoa"),
        limit_sell_quantity_max=_limit_bound(row, "lomaxsa", "lomaxoa"),
        tags=tuple(tag for tag in row.label("tags").split(",") if tag),
    )


def _limit_bound(row: Fields, *names: str) -> Decimal | None:
    """Return the first figure that is there, for HTX split its cap by side, and not every row says so.

    None where none can be read: that symbol takes no limit order of ours, and its market orders need not suffer.
    """
    name = next((each for each in names if each in row), None)
    if name is None:
        return None
    try:
        return row.positive(name)
    except MalformedReply:
        return None


def _step(row: Fields, name: str) -> Decimal:
    digits = row.whole(name)
    if not 0 <= digits <= DIGITS_MAX:
        raise MalformedReply(f"market-symbols: `{name}` of {digits} decimals")
    return step_of_digits(digits)


def parse_tickers(payload: dict[str, Any]) -> dict[str, Ticker]:
    """Return the tickers whose prices are all there and above zero (`/market/tickers`).

    The list holds index symbols and halted pairs without prices: those have no ticker here, never one of zero.
    """
    made: dict[str, Ticker] = {}
    seen: set[str] = set()
    for row in Fields("tickers", payload).rows("data"):
        fields = Fields("tickers.data", row)
        symbol = fields.word("symbol")
        if symbol in seen:
            raise MalformedReply(f"tickers: {symbol} is listed twice")
        seen.add(symbol)
        try:
            made[symbol] = Ticker(
                symbol,
                last=fields.positive("close"),
                open_24h=fields.positive("open"),
                bid=fields.positive("bid"),
                ask=fields.positive("ask"),
            )
        except MalformedReply:
            continue
    return made


def parse_book(symbol: str, payload: dict[str, Any]) -> Book:
    """Return both sides of a book, best first (`/market/depth`, step0); a disordered side is malformed."""
    envelope = Fields("depth", payload)
    channel = envelope.label("ch")
    if channel and channel.split(".")[1:2] != [symbol]:
        raise MalformedReply(f"depth: asked for {symbol}, answered for {channel}")
    tick = envelope.below("tick")
    bids, asks = _levels(tick, "bids"), _levels(tick, "asks")
    if any(later.price >= earlier.price for earlier, later in itertools.pairwise(bids)):
        raise MalformedReply("depth: bids are not descending")
    if any(later.price <= earlier.price for earlier, later in itertools.pairwise(asks)):
        raise MalformedReply("depth: asks are not ascending")
    return Book(symbol, bids, asks, tick.moment("ts") if "ts" in tick else envelope.moment("ts"))


def parse_candles(symbol: str, period: CandlePeriod, payload: dict[str, Any]) -> tuple[Candle, ...]:
    """Return the candles of a symbol, oldest first (`/market/history/kline`, which says them newest first).

    A close outside its own candle, or a start that does not fall on a period's, is malformed.
    """
    envelope = Fields("kline", payload)
    channel = envelope.label("ch")
    if channel and channel != f"market.{symbol}.kline.{period.value}":
        raise MalformedReply(f"kline: asked for {period.value} of {symbol}, answered for {channel}")
    candles = tuple(_candle(Fields("kline.data", row), period) for row in envelope.rows("data"))
    if any(later.starts_at <= earlier.starts_at for later, earlier in itertools.pairwise(candles)):
        raise MalformedReply("kline: candles are not newest first")
    return candles[::-1]


def _candle(row: Fields, period: CandlePeriod) -> Candle:
    start_s = row.whole("id")  # HTX API reference, 4: the one time that is in seconds
    if not 0 <= start_s < SECONDS_MAX or (start_s + DAY_SHIFT_S) % period.length.total_seconds():
        raise MalformedReply(f"kline: `id` {start_s} is not the start of a {period.value} candle")
    low, close, high = row.positive("low"), row.positive("close"), row.positive("high")
    if not (low <= close <= high and low <= row.positive("open") <= high):
        raise MalformedReply("kline: open or close lies outside low and high")
    return Candle(EPOCH + timedelta(seconds=start_s), close)


def _levels(tick: Fields, side: str) -> tuple[Level, ...]:
    made = []
    for row in tick.rows(side):
        if not isinstance(row, list) or len(row) != 2:  # noqa: PLR2004  # price and quantity
            raise MalformedReply(f"depth: a level of {side} is not a pair")
        pair = Fields(f"depth.{side}", {"price": row[0], "quantity": row[1]})
        made.append(Level(pair.positive("price"), pair.positive("quantity")))
    return tuple(made)


def parse_fee_rates(payload: dict[str, Any]) -> Mapping[str, FeeRate]:
    """Return the dearer of nominal and actual taker rate (`/v2/reference/transact-fee-rate`)."""
    made = {}
    for row in Fields("fee-rate", payload).rows("data"):
        fields = Fields("fee-rate.data", row)
        rate = max(fields.not_negative("takerFeeRate"), fields.not_negative("actualTakerRate"))
        if rate > TAKER_RATE_MAX:
            raise MalformedReply(f"fee-rate: a taker rate of {rate}")
        symbol = fields.word("symbol")
        if symbol in made:
            raise MalformedReply(f"fee-rate: {symbol} is listed twice")
        made[symbol] = FeeRate(symbol, rate)
    return made
