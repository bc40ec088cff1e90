"""The endpoints that need no key: time, status, symbols, currencies, market data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from rebalancer.simulator.envelopes import answer, error_market, ok_v1, ok_v2
from rebalancer.simulator.http import Response
from rebalancer.simulator.market import LEVELS, Market
from rebalancer.simulator.specs import MarketStatus, SymbolSpec

PERIODS_S = {
    "1min": 60, "5min": 300, "15min": 900, "30min": 1800, "60min": 3600, "4hour": 14_400, "1day": 86_400,
    "1week": 604_800, "1mon": 2_592_000, "1year": 31_536_000,
}  # fmt: skip
DAY_SHIFT_S = 8 * 3600  # HTX API reference, 4: day candles start at 00:00 GMT+8
DEPTHS = {"5": 5, "10": 10, "20": 20}
DAY_VOLUME_QUOTE = Decimal(25_000_000)

Handler = Callable[["PublicCall"], Response]


class PublicCall:
    """One public request on a market at an instant."""

    def __init__(self, market: Market, params: Mapping[str, str], now_ms: int, status: MarketStatus) -> None:
        self.market = market
        self.params = params
        self.now_ms = now_ms
        self.status = status

    def spec(self) -> SymbolSpec | None:
        """Return the pair asked for, if it is listed and open."""
        spec = self.market.specs().get(self.params.get("symbol", ""))
        return spec if spec is not None and spec.state == "online" else None


def answer_public(
    market: Market, path: str, params: Mapping[str, str], now_ms: int, status: MarketStatus
) -> Response | None:
    """Answer a public path, or return None for any other."""
    handler = HANDLERS.get(path)
    return None if handler is None else handler(PublicCall(market, params, now_ms, status))


def _timestamp(call: PublicCall) -> Response:
    return ok_v1(call.now_ms)


def _market_status(call: PublicCall) -> Response:
    status = call.status
    data: dict[str, Any] = {"marketStatus": status.state}
    if status.state != 1:
        data |= {"haltReason": 2, "affectedSymbols": status.affected, "haltStartTime": status.halt_start_ms or 0}
        if status.halt_end_ms is not None:
            data["haltEndTime"] = status.halt_end_ms
    return ok_v2(data)


def _market_symbols(call: PublicCall) -> Response:
    wanted = {name for name in call.params.get("symbols", "").split(",") if name}
    specs = [spec for name, spec in call.market.specs().items() if not wanted or name in wanted]
    return answer({"status": "ok", "data": [_short(spec) for spec in specs], "ts": str(call.now_ms), "full": 1})


def _short(spec: SymbolSpec) -> dict[str, Any]:
    return {
        "symbol": spec.symbol, "sn": f"{spec.base}/{spec.quote}".upper(), "bc": spec.base, "qc": spec.quote,
        "state": spec.state, "sp": "main", "tags": spec.tags, "pp": spec.price_precision, "ap": spec.amount_precision,
        "vp": spec.value_precision, "minoa": spec.sell_market_min_amount, "maxoa": spec.sell_market_max_amount,
        "minov": spec.min_order_value, "lominoa": spec.sell_market_min_amount,
        "lomaxoa": spec.sell_market_max_amount, "lomaxba": spec.sell_market_max_amount,
        "lomaxsa": spec.sell_market_max_amount, "smminoa": spec.sell_market_min_amount,
        "smmaxoa": spec.sell_market_max_amount, "bmmaxov": spec.buy_market_max_value, "blmlt": Decimal("1.1"),
        "slmgt": Decimal("0.9"), "msormlt": spec.market_sell_rate, "mbormlt": spec.market_buy_rate,
        "at": spec.api_trading, "u": "", "castate": None,
    }  # fmt: skip


def _common_symbols(call: PublicCall) -> Response:
    return ok_v1([_long(spec) for spec in call.market.specs().values()])


def _long(spec: SymbolSpec) -> dict[str, Any]:
    return {
        "base-currency": spec.base, "quote-currency": spec.quote, "price-precision": spec.price_precision,
        "amount-precision": spec.amount_precision, "value-precision": spec.value_precision,
        "symbol-partition": "main", "symbol": spec.symbol, "state": spec.state,
        "min-order-amt": spec.sell_market_min_amount, "max-order-amt": spec.sell_market_max_amount,
        "min-order-value": spec.min_order_value, "limit-order-min-order-amt": spec.sell_market_min_amount,
        "limit-order-max-order-amt": spec.sell_market_max_amount,
        "limit-order-max-buy-amt": spec.sell_market_max_amount,
        "limit-order-max-sell-amt": spec.sell_market_max_amount, "buy-limit-must-less-than": Decimal("1.1"),
        "sell-limit-must-greater-than": Decimal("0.9"), "sell-market-min-order-amt": spec.sell_market_min_amount,
        "sell-market-max-order-amt": spec.sell_market_max_amount, "buy-market-max-order-value":
        spec.buy_market_max_value, "market-sell-order-rate-must-less-than": spec.market_sell_rate,
        "market-buy-order-rate-must-less-than": spec.market_buy_rate, "api-trading": spec.api_trading,
        "tags": spec.tags,
    }  # fmt: skip


def _settings_symbols(call: PublicCall) -> Response:
    rows: list[dict[str, Any]] = [
        {
            "sc": spec.symbol, "symbol": spec.symbol, "dn": f"{spec.base}/{spec.quote}".upper(), "bc": spec.base,
            "qc": spec.quote, "bcdn": spec.base.upper(), "qcdn": spec.quote.upper(), "state": spec.state,
            "te": spec.state == "online", "ce": True, "toa": 1_514_736_000_000, "tpp": spec.price_precision,
            "tap": spec.amount_precision, "ttp": spec.value_precision, "fp": 8, "sp": "main", "tags": spec.tags,
            "whe": False, "cd": False,
        }
        for spec in call.market.specs().values()
    ]  # fmt: skip
    return answer({"status": "ok", "data": rows, "ts": str(call.now_ms), "full": 1})


def _currencys(call: PublicCall) -> Response:
    return ok_v1(list(call.market.currencies()))


def _reference_currencies(call: PublicCall) -> Response:
    wanted = call.params.get("currency", "")
    rows: list[dict[str, Any]] = [
        {"currency": name, "assetType": 1, "instStatus": "delisted" if name.startswith("old") else "normal",
         "chains": []}
        for name in call.market.currencies()
        if wanted in ("", name)
    ]  # fmt: skip
    return ok_v2(rows)


def _settings_currencys(call: PublicCall) -> Response:
    rows: list[dict[str, Any]] = [
        {"name": name, "cc": name, "dn": name.upper(), "fn": name.upper(), "state": "online", "wp": 8, "v": True,
         "de": True, "wed": True, "dma": "1", "wma": "1"}
        for name in call.market.currencies()
    ]  # fmt: skip
    return answer({"status": "ok", "data": rows, "ts": str(call.now_ms), "full": 1})


def _figures(call: PublicCall, spec: SymbolSpec) -> dict[str, Any]:
    """Return the last day of a pair: open, high, low, close, volumes."""
    close = call.market.last_price(spec.symbol, call.now_ms)
    opened = call.market.open_24h(spec.symbol, call.now_ms)
    volume_quote = (DAY_VOLUME_QUOTE / 25 if spec.quote != "usdt" else DAY_VOLUME_QUOTE).quantize(Decimal("0.01"))
    return {
        "open": opened, "close": close, "high": max(opened, close), "low": min(opened, close),
        "amount": (volume_quote / close).quantize(Decimal("0.0001")), "vol": volume_quote, "count": 41_000,
    }  # fmt: skip


def _tickers(call: PublicCall) -> Response:
    rows: list[dict[str, Any]] = []
    for spec in call.market.specs().values():
        if spec.state != "online":
            continue
        bids, asks = call.market.book(spec.symbol, call.now_ms, levels=1)
        rows.append(
            {"symbol": spec.symbol, **_figures(call, spec), "bid": bids[0][0], "bidSize": bids[0][1],
             "ask": asks[0][0], "askSize": asks[0][1]}
        )  # fmt: skip
    # An index that HTX lists among the pairs: a price, and no market.
    rows.append({"symbol": "hb10", "open": Decimal("1.1"), "close": Decimal("1.1"), "high": Decimal("1.1"),
                 "low": Decimal("1.1"), "amount": 0, "vol": 0, "count": 0, "bid": 0, "bidSize": 0, "ask": 0,
                 "askSize": 0})  # fmt: skip
    return answer({"status": "ok", "ts": call.now_ms, "data": rows})


def _channel(call: PublicCall, spec: SymbolSpec, suffix: str, body: dict[str, Any]) -> Response:
    return answer({"ch": f"market.{spec.symbol}.{suffix}", "status": "ok", "ts": call.now_ms, **body})


def _merged(call: PublicCall) -> Response:
    spec = call.spec()
    if spec is None:
        return _invalid(call, "symbol")
    bids, asks = call.market.book(spec.symbol, call.now_ms, levels=1)
    tick = {"id": call.now_ms // 1000, "version": call.now_ms, **_figures(call, spec), "bid": bids[0], "ask": asks[0]}
    return _channel(call, spec, "detail.merged", {"tick": tick})


def _detail(call: PublicCall) -> Response:
    spec = call.spec()
    if spec is None:
        return _invalid(call, "symbol")
    tick = {"id": call.now_ms // 1000, "version": call.now_ms, **_figures(call, spec)}
    return _channel(call, spec, "detail", {"tick": tick})


def _depth(call: PublicCall) -> Response:
    spec, kind = call.spec(), call.params.get("type", "")
    if spec is None:
        return _invalid(call, "symbol")
    if not re.fullmatch("step[0-5]", kind):
        return _invalid(call, "type")
    depth = call.params.get("depth")
    if depth is not None and depth not in DEPTHS:
        return _invalid(call, "depth")
    size, step = DEPTHS[depth] if depth else LEVELS, int(kind[4:])
    bids, asks = call.market.book(spec.symbol, call.now_ms, levels=LEVELS if step else size)
    if step > 0:
        tick_size = Decimal(1).scaleb(step - spec.price_precision)
        bids, asks = _grouped(bids, tick_size, ROUND_FLOOR), _grouped(asks, tick_size, ROUND_CEILING)
    tick = {"ts": call.now_ms, "version": call.now_ms, "bids": bids[:size], "asks": asks[:size]}
    return _channel(call, spec, f"depth.{kind}", {"tick": tick})


def _grouped(side: list[tuple[Decimal, Decimal]], tick: Decimal, rounding: str) -> list[tuple[Decimal, Decimal]]:
    made: dict[Decimal, Decimal] = {}
    for price, quantity in side:
        group = (price / tick).to_integral_value(rounding) * tick
        made[group] = made.get(group, Decimal(0)) + quantity
    return list(made.items())


def _trade(call: PublicCall) -> Response:
    spec = call.spec()
    if spec is None:
        return _invalid(call, "symbol")
    return _channel(call, spec, "trade.detail", {"tick": _trade_of(call, spec, 0)})


def _history_trade(call: PublicCall) -> Response:
    spec, size = call.spec(), call.params.get("size", "1")
    if spec is None:
        return _invalid(call, "symbol")
    if not size.isdecimal() or not 1 <= int(size) <= 2000:  # noqa: PLR2004  # HTX's range
        return _invalid(call, "size,valid range: [1, 2000]")
    rows = [_trade_of(call, spec, back) for back in range(int(size))]
    return _channel(call, spec, "trade.detail", {"data": rows})


def _trade_of(call: PublicCall, spec: SymbolSpec, back: int) -> dict[str, Any]:
    at_ms = call.now_ms - back * 1000
    bids, _ = call.market.book(spec.symbol, at_ms, levels=1)
    row = {
        "id": (at_ms * 10**12) + 1, "ts": at_ms, "trade-id": at_ms, "amount": bids[0][1], "price":
        call.market.last_price(spec.symbol, at_ms), "direction": "buy" if at_ms // 1000 % 2 else "sell",
    }  # fmt: skip
    return {"id": at_ms, "ts": at_ms, "data": [row]}


def _kline(call: PublicCall) -> Response:
    spec, period, size = call.spec(), call.params.get("period", ""), call.params.get("size", "150")
    if spec is None:
        return _invalid(call, "symbol")
    if period not in PERIODS_S:
        return _invalid(call, "period")
    if not size.isdecimal() or not 1 <= int(size) <= 2000:  # noqa: PLR2004
        return _invalid(call, "size,valid range: [1, 2000]")
    seconds = PERIODS_S[period]
    newest = (call.now_ms // 1000 + DAY_SHIFT_S) // seconds * seconds - DAY_SHIFT_S
    starts = (newest - back * seconds for back in range(int(size)))
    oldest_ms = call.market.oldest_ms
    rows = [
        _candle(call, spec, start, seconds)
        for start in starts
        if oldest_ms is None or (start + seconds) * 1000 > oldest_ms
    ]
    return _channel(call, spec, f"kline.{period}", {"data": rows})


def _candle(call: PublicCall, spec: SymbolSpec, start_s: int, seconds: int) -> dict[str, Any]:
    opened = call.market.last_price(spec.symbol, start_s * 1000)
    close = call.market.last_price(spec.symbol, min((start_s + seconds) * 1000 - 1, call.now_ms))
    return {
        "id": start_s, "open": opened, "close": close, "high": max(opened, close), "low": min(opened, close),
        "amount": Decimal("12.5"), "vol": (close * Decimal("12.5")).quantize(Decimal("0.01")), "count": 90,
    }  # fmt: skip


def _invalid(call: PublicCall, what: str) -> Response:
    return error_market("invalid-parameter", f"invalid {what}", call.now_ms)


HANDLERS: dict[str, Handler] = {
    "/v1/common/timestamp": _timestamp,
    "/v2/market-status": _market_status,
    "/v1/common/symbols": _common_symbols,
    "/v1/settings/common/market-symbols": _market_symbols,
    "/v1/settings/common/symbols": _settings_symbols,
    "/v2/settings/common/symbols": _settings_symbols,
    "/v1/common/currencys": _currencys,
    "/v2/reference/currencies": _reference_currencies,
    "/v1/settings/common/currencys": _settings_currencys,
    "/v2/settings/common/currencies": _settings_currencys,
    "/market/tickers": _tickers,
    "/market/detail/merged": _merged,
    "/market/detail": _detail,
    "/market/depth": _depth,
    "/market/trade": _trade,
    "/market/history/trade": _history_trade,
    "/market/history/kline": _kline,
    "/market/history/candles": _kline,
}
