"""One place call as its bytes left, held against its rows, its plan and the configuration by other arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs

from rebalancer.core.targets import Route, Targets
from tests.simulation.known import Known
from tests.simulation.network import Post
from tests.simulation.world import EPOCH, HOST, SPOT, World, must

FRESH_MS, PLAN_AGE_MS = 15_000, 300_000
SIGNATURE_LIFE = timedelta(minutes=5)  # so long may a request that was held up still be carried out
FILL_OFF_MAX = Fraction(2, 100)
PAIR_OFF_MAX = Fraction(1, 100)  # of the mid of a pair of two coins against the ratio of theirs


def must_equal_rows(post: Post, known: Known, targets: Targets, plan: dict[str, Any], world: World) -> None:
    """I3, I10, I16 and I17: the wire says what the rows say, of what its plan wanted, to whom and for what is allowed."""
    body, sending = post.body, known.sending or {}
    _signed_as_written(post, known)
    must(body["amount"] == sending["amount"], "I17", f"wire {body['amount']}, journal {sending['amount']}")
    must(body["symbol"] == sending["symbol"] == known.symbol, "I17", f"symbol {body['symbol']}")
    must(sending["side"] == known.side, "I17", f"{known.cid}: to {known.side}, sent as {sending['side']}")
    wanted = targets.orders.order_type.value
    must(body["type"] == f"{known.side}-{wanted}", "I17", f"type {body['type']}")
    must(body.get("price") == sending.get("price"), "I17", f"price {body.get('price')}, journal {sending}")
    must(("price" in body) == (wanted == "ioc"), "I16", f"{body}")
    must(body["symbol"] in _symbols(targets), "I16", f"symbol {body['symbol']}")
    must(body["account-id"] == SPOT and body["source"] == "spot-api", "I16", f"{body}")
    must(body.get("self-match-prevent") == 1, "I16", f"{body}")
    must(post.hosts == {HOST}, "I16", f"{known.cid} goes to {post.hosts}")
    _within_leg(known, plan)
    if "price" in body:
        _within_collar(body, known, targets, plan, world)


def _signed_as_written(post: Post, known: Known) -> None:
    """I3: the time of the signature is on disk, and no proof of absence may begin while it lives."""
    sending = known.sending or {}
    signed = datetime.fromisoformat(f"{parse_qs(post.query)['Timestamp'][0]}+00:00")
    written, deadline = (datetime.fromisoformat(sending[name]) for name in ("signed_at", "deadline"))
    must(signed == written, "I3", f"{known.cid} is signed at {signed}, the journal says {written}")
    must(deadline >= signed + SIGNATURE_LIFE, "I3", f"{known.cid}, signed at {signed}, is given up at {deadline}")


def leg_of(known: Known, plan: dict[str, Any]) -> dict[str, Any]:
    """Return the leg that an intent was made of."""
    legs: list[dict[str, Any]] = plan["legs"]
    return next(leg for leg in legs if leg["intent_seq"] == known.number)


def _within_leg(known: Known, plan: dict[str, Any]) -> None:
    """I10: an intent is what its plan wants, and no more of it."""
    leg = leg_of(known, plan)
    wanted = (leg["symbol"], leg["side"])
    must((known.symbol, known.side) == wanted, "I10", f"{known.cid}: {known.side} {known.symbol}, planned {wanted}")
    counted = "spend_quote" if known.side == "buy" and known.price is None else "quantity"
    must(known.amount <= Decimal(leg[counted]), "I10", f"{known.cid}: {known.amount}, planned {leg[counted]}")


def _within_collar(body: dict[str, Any], known: Known, targets: Targets, plan: dict[str, Any], world: World) -> None:
    """I10: an IOC order's price and cost are within the mid and the leg of its own plan."""
    coin, priced = known.coins()
    mids = {line["asset"]: Fraction(line["price"]) for line in plan["assets"]}
    mid, leg = mids[coin] / mids[priced], leg_of(known, plan)
    price, slip = Fraction(body["price"]), Fraction(targets.limits.max_slippage_bps) / 10_000
    if priced != targets.quote:  # whose own mid may be so far from the ratio of the two
        slip = (1 + slip) * (1 + PAIR_OFF_MAX) - 1
    tick = Fraction(1, 10 ** world.market.specs()[body["symbol"]].price_precision)
    must((price / tick).denominator == 1, "I16", f"{known.cid}: {price} is between two ticks of {tick}")
    if known.side == "buy":
        must(price <= mid * (1 + slip), "I10", f"{known.cid}: {price} is beyond {slip} over {mid}")
        must(Fraction(body["amount"]) * price <= Fraction(leg["spend_quote"]), "I10", f"{known.cid} may cost more")
    else:
        must(price >= mid * (1 - slip), "I10", f"{known.cid}: {price} is beyond {slip} under {mid}")


def _symbols(targets: Targets) -> set[str]:
    """Return what may be traded: each target against the cash, and each other where the owner wants that."""
    coins = [asset.lower() for asset in targets.assets]
    crosses = {a + b for a in coins for b in ("btc", "eth")} if targets.orders.route is Route.DIRECT else set()
    return {f"{coin}usdt" for coin in coins} | crosses


def must_be_fresh(known: Known, plan: dict[str, Any], read_ms: dict[str, int], world: World) -> None:
    """I6: balance and book were read just now, and the plan is not old."""
    now = world.true_ms
    for what in ("balance", f"depth{known.symbol}"):
        at = max((ms for name, ms in read_ms.items() if name.startswith(what)), default=0)
        must(now - at <= FRESH_MS, "I6", f"{known.cid}: {what} was read {now - at} ms ago")
    age_ms = now - (datetime.fromisoformat(plan["taken_at"]) - EPOCH).total_seconds() * 1000
    must(age_ms <= PLAN_AGE_MS + FRESH_MS, "I6", f"{known.cid}: the plan is {age_ms} ms old")


def must_follow_no_far_fill(known: Known, others: Iterable[Known], plan: dict[str, Any], quote: str) -> None:
    """O4: a fill far from the price of its plan shows that the plan is wrong: nothing more of it is sent."""
    mids = {line["asset"]: Fraction(line["price"]) for line in plan["assets"]}
    for other in others:
        if other.run == known.run and other.filled:
            coin, priced = other.coins()
            paid, mid = Fraction(other.quote) / Fraction(other.filled), mids[coin] / mids[priced]
            most = FILL_OFF_MAX if priced == quote else FILL_OFF_MAX + PAIR_OFF_MAX
            off = abs(paid - mid) / mid
            must(off <= most, "O4", f"{known.cid} follows {other.cid}, filled {float(off):.3f} off the decision")
