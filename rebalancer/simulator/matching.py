"""Orders that end at once against the book: walking, fees, the circuit breaker, the limit, what is left over."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

from rebalancer.simulator.market import Market, Side
from rebalancer.simulator.specs import SymbolSpec
from rebalancer.simulator.state import EIGHTEEN, WIDE, ZERO, SimOrder, State, Trade, User

BREAKER_SOURCE, BREAKER_TEXT = 410, "Market order circuit-breaker"
EXHAUSTED_SOURCE, EXHAUSTED_TEXT = 100, "market"
IOC_TEXT = "ioc"


class Consumed:
    """What earlier orders took of the books of one refresh, so that nobody eats a level twice."""

    def __init__(self) -> None:
        self._instant = -1
        self._taken: dict[tuple[str, str, Decimal], Decimal] = {}

    def left(self, instant: int, symbol: str, side: str, level: tuple[Decimal, Decimal]) -> Decimal:
        """Return what of a level is still there at an instant."""
        if instant != self._instant:
            self._instant, self._taken = instant, {}
        return level[1] - self._taken.get((symbol, side, level[0]), ZERO)

    def take(self, symbol: str, side: str, price: Decimal, quantity: Decimal) -> None:
        """Remember that a level was eaten."""
        key = (symbol, side, price)
        self._taken[key] = self._taken.get(key, ZERO) + quantity


def execute(
    order: SimOrder, user: User, state: State, market: Market, consumed: Consumed, *, fill_precision: str, deduct: bool
) -> None:
    """Match one due market or IOC order and end it: filled, partial-canceled or canceled."""
    spec = market.specs()[order.symbol]
    at_ms = order.due_ms
    remaining = order.amount / 2 if order.half_fill else order.amount
    smallest = _smallest(spec, fill_precision)
    counts_base = order.kind != "buy-market"
    broken = False
    for price, available in _levels(order, spec, market, consumed, at_ms):
        if available is None:
            broken = True
            break
        wanted = remaining if counts_base else _bought(remaining, price, fill_precision, spec)
        quantity = min(wanted, available)
        if quantity <= 0:
            break
        consumed.take(order.symbol, order.side, price, quantity)
        order.trades.append(_trade(order, spec, state, price, quantity, at_ms, deduct=deduct))
        remaining -= quantity if counts_base else WIDE.multiply(quantity, price)
        if remaining < smallest if counts_base else remaining <= smallest * price:
            break
    done = not broken and not order.half_fill and _is_done(order, remaining, smallest)
    _finish(order, at_ms, done=done, broken=broken or order.half_fill)
    _settle(order, spec, user, deduct=deduct)


def _smallest(spec: SymbolSpec, fill_precision: str) -> Decimal:
    return Decimal(1).scaleb(-spec.amount_precision) if fill_precision == "amount" else EIGHTEEN


def _levels(
    order: SimOrder, spec: SymbolSpec, market: Market, consumed: Consumed, at_ms: int
) -> Iterator[tuple[Decimal, Decimal | None]]:
    """Yield (price, quantity) to eat, up to an IOC order's limit; a quantity of None where the breaker stops it."""
    bids, asks = market.book(order.symbol, at_ms)
    side: Side = asks if order.side == "buy" else bids
    last = market.last_price(order.symbol, at_ms)
    rate = spec.market_buy_rate if order.side == "buy" else spec.market_sell_rate
    for level in side:
        if order.is_ioc:
            if level[0] > order.price if order.side == "buy" else level[0] < order.price:
                return
        elif abs(level[0] / last - 1) > rate:
            yield level[0], None
            return
        yield level[0], consumed.left(at_ms // 1000, order.symbol, order.side, level)


def _bought(value: Decimal, price: Decimal, fill_precision: str, spec: SymbolSpec) -> Decimal:
    """Return the base that a value buys: cut to 18 significant digits, or to the pair's amount precision."""
    if fill_precision == "amount":
        return (value / price).quantize(Decimal(1).scaleb(-spec.amount_precision), ROUND_FLOOR)
    significant = Context(prec=18, rounding=ROUND_FLOOR).divide(value, price)
    return min(significant, significant.quantize(EIGHTEEN, ROUND_FLOOR))


def _trade(
    order: SimOrder, spec: SymbolSpec, state: State, price: Decimal, quantity: Decimal, at_ms: int, *, deduct: bool
) -> Trade:
    received, currency = (quantity, spec.base) if order.side == "buy" else (quantity * price, spec.quote)
    fee = WIDE.multiply(received, spec.taker_fee).quantize(EIGHTEEN, ROUND_HALF_UP)
    points = (fee * 100).quantize(EIGHTEEN) if deduct else ZERO
    return Trade(state.take_id(), price, quantity, fee, currency, points, "htx" if deduct else "", at_ms)


def _is_done(order: SimOrder, remaining: Decimal, smallest: Decimal) -> bool:
    if order.kind != "buy-market":
        return remaining <= 0
    return bool(order.trades) and remaining <= smallest * order.trades[-1].price


def _finish(order: SimOrder, at_ms: int, *, done: bool, broken: bool) -> None:
    order.finished_ms = at_ms + 5
    if done:
        order.state = "filled"
        return
    order.state = "partial-canceled" if order.trades else "canceled"
    order.canceled_ms = at_ms + 2
    source = (BREAKER_SOURCE, BREAKER_TEXT) if broken else (EXHAUSTED_SOURCE, EXHAUSTED_TEXT)
    order.canceled_source, order.canceled_desc = (EXHAUSTED_SOURCE, IOC_TEXT) if order.is_ioc else source


def _settle(order: SimOrder, spec: SymbolSpec, user: User, *, deduct: bool) -> None:
    """Move the balances: the reserve back, the trades out and in, the fee off what came in."""
    base, quote = user.wallet(spec.base), user.wallet(spec.quote)
    cash = order.cash
    fee = ZERO if deduct else order.fees
    reserve = quote if order.side == "buy" else base
    reserve.frozen -= order.reserve
    if order.side == "buy":
        quote.trade += order.reserve - cash
        base.trade += order.filled - fee
    else:
        base.trade += order.amount - order.filled
        quote.trade += cash - fee
    if deduct:
        points = user.wallet("htx")
        points.trade -= sum((trade.points for trade in order.trades), ZERO)
