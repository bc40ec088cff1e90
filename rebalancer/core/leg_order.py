"""Orders as the legs of a plan, in an order in which each finds the coin that it spends. Pure.

Whatever spends a coin that the account holds goes first, largest drift first; what is bought for cash comes after the
sells that bring it. Of one coin a direct order with a collar goes first: it commits more of it than it takes.
"""

from __future__ import annotations

from rebalancer.core import explain
from rebalancer.core.direct import Routed, Straight
from rebalancer.core.legs import Cut
from rebalancer.core.model import Side
from rebalancer.core.plan import Direct, Leg
from rebalancer.core.reasons import Reason


def legs_of(routed: Routed, quote: str) -> tuple[Leg, ...]:
    """Return the legs, numbered in the order of sending."""
    orders: list[Cut | Straight] = [*routed.straight, *routed.cuts]
    orders.sort(key=_rank)
    return tuple(
        _ordinary(number, order) if isinstance(order, Cut) else _direct(number, order, quote)
        for number, order in enumerate(orders, start=1)
    )


def why_cut(cut: Cut) -> Reason:
    """Return why a coin is traded, with what limits or cash left of the wish."""
    wish = cut.wish
    return explain.capped(wish.why, cut.sized.notional_quote, wish.quote, wish.rules.quote) if cut.capped else wish.why


def _rank(order: Cut | Straight) -> tuple[bool, float, int, int, int]:
    if isinstance(order, Cut):
        return order.wish.side is Side.BUY, -abs(order.wish.drift), order.wish.order, 1, 0
    sell, buy, collared = order.crossing.sell, order.crossing.buy, order.crossing.collar is not None
    return False, -abs(sell.drift), sell.order, 0 if collared else 2, buy.order


def _ordinary(number: int, cut: Cut) -> Leg:
    wish, sized = cut.wish, cut.sized
    return Leg(
        intent_seq=number,
        asset=wish.asset,
        symbol=wish.rules.symbol,
        quote=wish.rules.quote,
        size=sized.size,
        notional_quote=sized.notional_quote,
        mid=wish.mid,
        fee_quote=sized.notional_quote * wish.fee_rate,
        spread_cost_bps=cut.walk.spread_bps,
        impact_bps=cut.walk.impact_bps,
        reason=why_cut(cut),
        capped=cut.capped,
        collar=wish.collar,
    )


def _direct(number: int, order: Straight, quote: str) -> Leg:
    crossing = order.crossing
    sell, buy = crossing.sell, crossing.buy
    return Leg(
        intent_seq=number,
        asset=crossing.rules.base,
        symbol=crossing.rules.symbol,
        quote=crossing.rules.quote,
        size=order.size,
        notional_quote=order.notional_quote,
        mid=crossing.mid,
        fee_quote=order.notional_quote * crossing.fee_rate,
        spread_cost_bps=order.walk.spread_bps,
        impact_bps=order.walk.impact_bps,
        reason=explain.straight(sell.why, buy.why, order.way, order.saves_quote, quote),
        capped=order.capped,
        direct=Direct(sell.mid, buy.mid, order.saves_quote),
        collar=crossing.collar,
    )
