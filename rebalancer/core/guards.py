"""The tests that one coin's rules and prices must pass; each doubt carries a code and both numbers. Pure.

What a doubt leads to is decided in `judge.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Context, Decimal

from rebalancer.core.model import Book, MarketRules, Snapshot, Ticker
from rebalancer.core.money import ONE, ZERO, plain
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import MOVE_MAX, CoinTrust

BOOK_AGE_MAX_S = 30
SPREAD_MAX = Decimal("0.01")
LAST_OFF_MID_MAX = Decimal("0.01")
PEG_OFF_MAX = Decimal("0.02")
TRIANGLE_OFF_MAX = Decimal("0.01")  # beside the spread of the pair that is asked
FAR_FACTOR = 4  # times or parts of the last trusted price: more than a wild day that nobody looked at
DAY = timedelta(hours=24)
FOUR_DIGITS = Context(prec=4)
TRIANGLE_HUB = "BTC"
STABLES = frozenset({"USDT", "USDC", "DAI", "TUSD", "FDUSD", "USDD", "PYUSD", "USDP"})
# Doubts about whether a coin may be traded, not about what it costs.
NOT_OF_PRICE = frozenset({Deny.TRADING_OFF, Deny.MARKET_HALTED, Deny.COIN_DEPEGGED, Deny.FEE_MISSING})
# Doubts about how far a price moved, which one that stays there lifts.
OF_MOVES = frozenset({Deny.PRICE_JUMPED, Deny.DAY_MOVE_TOO_LARGE})
# Doubts that no better quote lifts: the owner has to look.
FREEZING = frozenset({Deny.SYMBOL_MISSING, Deny.TRADING_OFF, Deny.MARKET_HALTED, Deny.COIN_DEPEGGED, Deny.PRICE_FAR})


def doubts_of(snapshot: Snapshot, asset: str, known: CoinTrust) -> Iterator[Denial]:
    """Yield every doubt about a coin, given what is remembered of it; a coin that passes has none."""
    rules = snapshot.rules.get(asset)
    if rules is None or (rules.base, rules.quote) != (asset, snapshot.quote):
        text = f"HTX lists no pair {asset}/{snapshot.quote}; take {asset} out of the targets or map its code in [codes]"
        yield Denial(Deny.SYMBOL_MISSING, text, asset)
        return
    if not rules.tradable:
        yield Denial(Deny.TRADING_OFF, f"HTX does not take orders for {rules.symbol} now", asset)
    elif asset in snapshot.halted:
        yield Denial(Deny.MARKET_HALTED, f"the exchange halted {rules.symbol}", asset)
    elif asset not in snapshot.fees:
        yield Denial(Deny.FEE_MISSING, f"the exchange's answer has no fee rate for {rules.symbol}", asset)
    book, ticker = snapshot.books.get(asset), snapshot.tickers.get(asset)
    yield from _check_quote(snapshot, rules, book, ticker)
    if book is not None and book.mid is not None and book.mid > ZERO:
        yield from _check_memory(rules, book.mid, known, snapshot.taken_at)
        yield from _check_triangle(snapshot, rules)
        if {asset, snapshot.quote} <= STABLES:
            off = abs(book.mid - ONE)
            yield from beyond(
                Deny.COIN_DEPEGGED, asset, f"{asset} against {snapshot.quote} is off and", off, PEG_OFF_MAX
            )


def triangle_off(snapshot: Snapshot, asset: str) -> Decimal | None:
    """Return how far a coin's mid is from its price in BTC times BTC's mid, or None where nobody says.

    What the pair's own spread explains is not counted; a pair as wide as that says nothing.
    """
    cross, book = snapshot.hub_tickers.get(asset), snapshot.books.get(asset)
    hub = snapshot.books.get(TRIANGLE_HUB)
    if cross is None or book is None or hub is None or not book.mid or not hub.mid:
        return None
    if not ZERO < cross.bid <= cross.ask or (cross.ask - cross.bid) > SPREAD_MAX * cross.bid:
        return None
    implied = book.mid / hub.mid
    return max(ZERO, implied / cross.ask - ONE, cross.bid / implied - ONE)


def _check_memory(rules: MarketRules, mid: Decimal, known: CoinTrust, now: datetime) -> Iterator[Denial]:
    """Hold a price against the last one that passed: an exchange whose figures are wrong together shows only there.

    A price that stays where it is passes after a day, unless it is so far away that it may be another coin. That it
    stays is seen: two looks must have told it.
    """
    if not known.is_proven or known.price is None or known.at is None:
        return
    moved, far = abs(mid - known.price) / known.price, known.price * FAR_FACTOR
    if now - known.at < DAY or (known.price / FAR_FACTOR <= mid <= far and not known.was_told(mid, now)):
        what = f"the move of {rules.symbol} since our last look"
        yield from beyond(Deny.PRICE_JUMPED, rules.base, what, moved, MOVE_MAX)
    elif not known.price / FAR_FACTOR <= mid <= far:
        times = plain(FOUR_DIGITS.divide(mid, known.price))
        text = (
            f"{rules.symbol} costs {times} times what it did when its price last passed ({known.at:%Y-%m-%d %H:%M} UTC)"
            ": a collapse, a redenomination or another coin of that name"
        )
        yield Denial(Deny.PRICE_FAR, text, rules.base, f"1/{FAR_FACTOR} to {FAR_FACTOR} times", f"{times} times")


def _check_triangle(snapshot: Snapshot, rules: MarketRules) -> Iterator[Denial]:
    """Hold a coin's price against its price in BTC; BTC itself is doubted when no coin's price agrees with its own."""
    asked = sorted(snapshot.hub_tickers) if rules.base == TRIANGLE_HUB else [rules.base]
    said = [off for off in (triangle_off(snapshot, each) for each in asked) if off is not None]
    if said:
        what = f"{rules.symbol} against its price over {TRIANGLE_HUB} is off and"
        yield from beyond(Deny.TRIANGLE_OFF, rules.base, what, min(said), TRIANGLE_OFF_MAX)


def _check_quote(snapshot: Snapshot, rules: MarketRules, book: Book | None, ticker: Ticker | None) -> Iterator[Denial]:
    asset, symbol = rules.base, rules.symbol
    if book is None or ticker is None:
        what = "order book" if book is None else "ticker"
        yield Denial(Deny.QUOTE_MISSING, f"{symbol} has no usable {what}", asset)
        return
    mid = book.mid
    if mid is None:
        side = "bids" if not book.bids else "asks"
        yield Denial(Deny.QUOTE_ONE_SIDED, f"the book of {symbol} has no {side}", asset)
        return
    bid, ask = book.bids[0].price, book.asks[0].price
    if min(bid, ask, ticker.last, ticker.open_24h) <= ZERO:
        yield Denial(Deny.QUOTE_NOT_POSITIVE, f"{symbol} has a price that is not above zero", asset)
        return
    if bid >= ask:
        yield Denial(Deny.QUOTE_CROSSED, f"the book of {symbol} is crossed: bid {bid}, ask {ask}", asset)
        return
    age = snapshot.taken_at - book.quoted_at
    if abs(age) > timedelta(seconds=BOOK_AGE_MAX_S):  # one from the future is no fresher
        shown = f"{age.total_seconds():.0f} s"
        yield Denial(Deny.QUOTE_STALE, f"the book of {symbol} is {shown} old", asset, f"{BOOK_AGE_MAX_S} s", shown)
    yield from beyond(Deny.SPREAD_TOO_WIDE, asset, f"the spread of {symbol}", (ask - bid) / mid, SPREAD_MAX)
    away = abs(ticker.last - mid) / mid
    yield from beyond(
        Deny.LAST_OFF_MID, asset, f"the last trade of {symbol} is off the mid and", away, LAST_OFF_MID_MAX
    )
    moved = abs(mid - ticker.open_24h) / ticker.open_24h
    yield from beyond(Deny.DAY_MOVE_TOO_LARGE, asset, f"the 24 h move of {symbol}", moved, MOVE_MAX)


def beyond(code: Deny, asset: str, what: str, value: Decimal, limit: Decimal) -> Iterator[Denial]:
    """Yield a doubt when a share is above its limit."""
    if value > limit:
        shown, bound = f"{value * 100:.2f} %", f"{limit * 100:.0f} %"
        yield Denial(code, f"{what} is {shown}, over {bound}", asset, bound, shown)
