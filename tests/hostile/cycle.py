"""The judge of a whole cycle: one endpoint lies in it once, or from then on, and no order leaves on what it said."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from rebalancer.errors import RebalancerError
from rebalancer.service.pause import PauseSwitch
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.market import Market
from rebalancer.venues.htx.codes import PLACE_REFUSALS
from tests.hostile.judge import Violation, delivered
from tests.hostile.mutate import Hostile, Verdict, spoil
from tests.hostile.shapes import LISTING, endpoint_of
from tests.hostile.truth import strict
from tests.service.house import LIVE_LIMITS, WEIGHTS, House
from tests.service.wire import Wire

FOLDER = Path(tempfile.gettempdir())
# What a plan is made of: where these lie from their first answer on, there is no plan.
DECIDING = (
    "timestamp", "order-history", "market-symbols", "tickers", "balance", "fee-rate", "market-status", "depth",
)  # fmt: skip
SETTLING = ("place", "order", "order-fills")
COINS = tuple(asset for asset in WEIGHTS if asset != "USDT")  # whose books are read in this order
SYMBOLS = frozenset(f"{asset.lower()}usdt" for asset in COINS)
REFUSALS = ("error_envelope", "error_envelope_v2")  # of a book: the exchange has no such pair


@dataclass(frozen=True, slots=True)
class Plot:
    """Where the lie is told: from the nth answer of an endpoint on, once or for good."""

    endpoint: str
    nth: int
    for_good: bool
    seed: int
    lie: Callable[[random.Random, str, bytes], Hostile] = spoil


@dataclass
class LyingWire(Wire):
    """The way to the exchange, with one endpoint's answers spoiled; every place call is looked at as it leaves."""

    exchange: Exchange
    clock: Any
    plot: Plot | None
    free: Callable[[str], Decimal]
    told: list[Hostile] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    excesses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.exchange, self.clock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        endpoint = endpoint_of(self.exchange, request)
        self.counts[endpoint] += 1
        response = self._watched(request)
        plot = self.plot
        if plot is None or endpoint != plot.endpoint:
            return response
        number = self.counts[endpoint]
        if number != plot.nth and not (plot.for_good and number > plot.nth):
            return response
        # Asked again, a lie for good is the same kind of lie about the new answer.
        self.told.append(plot.lie(random.Random(plot.seed), endpoint, response.content))
        return delivered(self.told[-1], self.clock)

    def _told_free(self, asset: str) -> Decimal:
        """Return what a plausible balance last said is free: a wrong figure that is told each time shows in nothing."""
        if self.plot is None or self.plot.endpoint != "balance" or not self.told:
            return Decimal(0)
        lie = self.told[-1]
        said = strict(lie.body) if lie.verdict is Verdict.MAYBE and lie.status == 200 else None
        try:
            rows = [row for row in said["data"]["list"] if (row["currency"], row["type"]) == (asset.lower(), "trade")]
            return Decimal(rows[0]["balance"])
        except (TypeError, LookupError, ArithmeticError):
            return Decimal(0)

    def _watched(self, request: httpx.Request) -> httpx.Response:
        """Let a request through, holding an order against what is free at this moment and the owner's limit."""
        free = {asset: max(self.free(asset), self._told_free(asset)) for asset in WEIGHTS}
        response = super().handle_request(request)
        if request.method == "POST":
            body = self.posts[-1]
            amount, buys = Decimal(body["amount"]), body["type"] == "buy-market"
            asset = "USDT" if buys else body["symbol"].removesuffix("usdt").upper()
            limit = LIVE_LIMITS.max_order_notional
            if body["symbol"] not in SYMBOLS or body["type"] not in {"buy-market", "sell-market"} or amount <= 0:
                self.excesses.append(f"no order of a plan: {body}")
            elif amount > free[asset]:
                self.excesses.append(f"{body['type']} {body['symbol']} of {amount}, free are {free[asset]}")
            elif buys and limit is not None and amount > limit:
                self.excesses.append(f"a buy of {amount}, the limit is {limit}")
        return response


@dataclass
class Theatre(House):
    """A house whose exchange lists little, so that a cycle is short."""

    plot: Plot | None = None

    def __post_init__(self) -> None:
        market = Market(seed=7, anchor_ms=self.now_ms(), still=True, listing=LISTING, dust=2)
        self.exchange = Exchange(market, options=self.options)
        self.user = self.exchange.add_user("access", "secret", self.balances)
        self.pause = PauseSwitch(self.folder / "pause")
        self.lying = LyingWire(self.exchange, self.clock, self.plot, lambda a: self.user.wallet(a.lower()).trade)
        self.wire = self.lying
        self.start()


@dataclass(frozen=True, slots=True)
class Played:
    """How a cycle with a lie in it went."""

    orders: tuple[dict[str, Any], ...]  # as sent, without their ids
    ids: tuple[str, ...]
    outcome: str
    told: tuple[Hostile, ...]
    calls: dict[str, int]
    excesses: tuple[str, ...]
    texts: str  # whatever was said or written down


def play(plot: Plot | None) -> Played:
    """Run one live cycle; Violation when anything but an error of ours leaves it."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        house = Theatre(Path(folder), plot=plot)
        try:
            outcome = str(house.cycle().status)
        except RebalancerError as error:
            outcome = type(error).__name__
        except Exception as error:
            told = house.lying.told[-1].body[:600] if house.lying.told else b""
            raise Violation(f"{plot}: {type(error).__name__} left the cycle: {error}\n    {told!r}") from error
        finally:
            rows = "".join(row.payload_text for row in house.journal.rows())
            house.close()
        posts = house.wire.posts
        return Played(
            tuple({key: value for key, value in post.items() if key != "client-order-id"} for post in posts),
            tuple(post["client-order-id"] for post in posts),
            outcome,
            tuple(house.lying.told),
            dict(house.lying.counts),
            tuple(house.lying.excesses),
            rows + "".join(each.text for each in house.said),
        )


@cache
def honest() -> Played:
    """Return the cycle without a lie."""
    played = play(None)
    assert len(played.orders) == 3, played.outcome
    return played


def draw(seed: int) -> Plot:
    """Return the plot of a seed: the lies are spread over the endpoints and over all their answers."""
    rng = random.Random(seed)
    endpoint = rng.choice((*DECIDING, *DECIDING, *SETTLING))
    return Plot(endpoint, rng.randint(1, honest().calls[endpoint]), rng.random() < 0.5, seed)


def judge_cycle(seed: int) -> tuple[str, str, str]:
    """Judge one seeded cycle; return endpoint, mutation and how it ended. Violation when that may not be."""
    plot = draw(seed)
    played = play(plot)
    wrong = wrong_with_cycle(plot, played)
    if wrong:
        lie = played.told[0] if played.told else None
        raise Violation(f"{plot}: {wrong}\n    {lie}")
    return plot.endpoint, played.told[0].name if played.told else "never asked", f"cycle {played.outcome}"


def wrong_with_cycle(plot: Plot, played: Played) -> str:
    """Return why a cycle may not have gone as it did, or an empty text."""
    if played.excesses:
        return played.excesses[0]
    if len(set(played.ids)) != len(played.ids):
        return f"an intent was sent twice: {played.ids}"
    if any(word in played.texts for word in ("://", "Signature=", "AccessKeyId=")):
        return "a URL was written down"
    verdicts = {Verdict.MAYBE if plot.endpoint == "place" and _refused(lie) else lie.verdict for lie in played.told}
    if Verdict.MAYBE in verdicts:
        return ""
    sent, expected = len(played.orders), honest().orders
    if played.orders != expected[:sent] and not _left_alone(plot, played):
        return f"other orders than without the lie: {played.orders}"
    if verdicts == {Verdict.EQUAL} and sent != len(expected):
        return f"the answers said the same, but {sent} of {len(expected)} orders were sent"
    if verdicts == {Verdict.BAD} and plot.endpoint in DECIDING and plot.nth == 1 and sent not in _all_or_none(plot):
        return f"{sent} of {len(expected)} orders were sent on a bad answer"
    if verdicts == {Verdict.BAD} and plot.endpoint in SETTLING and plot.for_good and sent > plot.nth:
        return f"{sent} orders were sent, though {plot.endpoint} had no good answer any more"
    return ""


def _left_alone(plot: Plot, played: Played) -> bool:
    """Return whether a coin whose book the exchange refused to show was left alone, and just the others were traded."""
    if plot.endpoint != "depth" or not 1 <= plot.nth <= len(COINS) or played.told[0].name not in REFUSALS:
        return False
    others = [order for order in honest().orders if order["symbol"] != f"{COINS[plot.nth - 1].lower()}usdt"]
    return [(o["symbol"], o["type"]) for o in played.orders] == [(o["symbol"], o["type"]) for o in others]


def _all_or_none(plot: Plot) -> tuple[int, ...]:
    """Return how many orders a plan may have that began with a bad answer: one that was asked for again counts not."""
    return (0,) if plot.for_good else (0, len(honest().orders))


def _refused(lie: Hostile) -> bool:
    """Return whether a place call was refused in due form: that is believed, though here the order was executed."""
    said = strict(lie.body) if lie.status == 200 else None
    return isinstance(said, dict) and (said.get("err-code") or said.get("err_code")) in PLACE_REFUSALS
