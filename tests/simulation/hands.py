"""What people and machines do around the service: trade by hand, move coins, edit targets, pause, answer halts."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

from rebalancer.core.targets import BandPolicy, BandRule, Limits, OrderPolicy, OrderType, Route, Targets
from rebalancer.simulator.state import SimOrder
from tests.core.builders import targets as make_targets
from tests.simulation import chaos
from tests.simulation.checks import Checker
from tests.simulation.world import COINS, World

# Little enough to be there as a rule, so that some lives have less than they are to keep.
KEPT = {"BTC": Decimal("0.08"), "ETH": Decimal("0.5"), "SOL": Decimal(5), "USDT": Decimal(1500)}
EXTERNAL = {"BTC": Decimal("0.1"), "ETH": Decimal(1), "SOL": Decimal(20), "USDT": Decimal(2000)}

STABLE = Decimal(8)  # percent, where the second stable coin is a target too
BANDS = (
    BandPolicy(),
    BandPolicy(k=Decimal("0.04")),
    BandPolicy(BandRule.RELATIVE, k=Decimal(10)),
    BandPolicy(BandRule.CLAMP, k=Decimal(5)),
    BandPolicy(BandRule.ABSOLUTE, k=Decimal(2)),
)


def random_limits(rng: random.Random) -> Limits:
    return Limits(
        max_turnover_per_cycle=Decimal(rng.choice((10, 30, 100))),
        max_turnover_per_day=Decimal(rng.choice((40, 100, 1000))),
        max_notional_per_day=Decimal(rng.choice((8_000, 20_000, 1_000_000))),
        max_order_notional=Decimal(rng.choice((2_000, 50_000))),
        max_orders_per_day=rng.choice((12, 100)),
        max_slippage_bps=Decimal(50),
        cooldown_h=Decimal(rng.choice((0, 0, 1, 4))),
    )


def random_targets(world: World, limits: Limits, orders: OrderPolicy, rng: random.Random) -> Targets:
    cuts = [rng.randint(10, 40) for _ in COINS]
    total = sum(cuts) + 25
    weights = {coin: Decimal(cut * 100 // total) for coin, cut in zip(COINS, cuts, strict=True)}
    weights["USDT"] = 100 - sum(weights.values())
    if world.with_stable and weights["USDT"] > 2 * STABLE:
        weights |= {"USDC": STABLE, "USDT": weights["USDT"] - STABLE}
    leaving: tuple[str, ...] = ()
    if rng.random() < 0.25:  # one coin is to be sold, and another takes its part
        leaving = (rng.choice(COINS),)
        weights[next(coin for coin in COINS if coin not in leaving)] += weights.pop(leaving[0])
    made = replace(
        make_targets(weights, limits=limits), digest=f"{rng.getrandbits(64):064x}", leaving=leaving, orders=orders
    )  # type: ignore[arg-type]
    per_coin = {"USDT": Decimal(rng.choice((2, 6)))} if rng.random() < 0.3 else {}
    scale = world.scale
    return replace(
        made,
        bands=replace(rng.choice(BANDS), destination=Decimal(rng.choice(("0", "0.5", "1"))), per_coin=per_coin),
        kept={asset: KEPT[asset] * scale for asset in KEPT if asset in made.assets and rng.random() < 0.25},
        external={
            asset: EXTERNAL[asset] * scale for asset in EXTERNAL if asset in made.weights and rng.random() < 0.15
        },
    )


def random_orders(rng: random.Random) -> OrderPolicy:
    """Return market orders over the cash, or coin for coin where that is cheaper, or orders with a collar."""
    kinds = [OrderPolicy(order_type, route) for order_type in OrderType for route in Route]
    return rng.choice(kinds)


class Hands:
    """Acts by chance before each slot, and while the service waits."""

    def __init__(self, world: World, checker: Checker, pause: Path) -> None:
        self._world, self._checker, self._pause = world, checker, pause
        self._rng = world.chance["hands"]
        self._delisted = ""
        self._resting: SimOrder | None = None
        self._elsewhere: dict[str, Decimal] = {}
        self._level = dict.fromkeys(COINS, 1.0)

    def _happens(self, odds: float, kind: str) -> bool:
        if self._world.quiet or self._rng.random() >= odds:
            return False
        self._world.fired[kind] += 1
        return True

    def before_slot(self, targets: Targets) -> Targets:
        """Let an hour's events happen; return the targets in force."""
        world, rng = self._world, self._rng
        self._shake_prices()
        self._lift()
        if self._happens(0.05, "deposit"):
            amount = Decimal(rng.randint(1, 50)) / 100 * world.scale
            world.deposit(rng.choice((*COINS, "USDT")), amount)
        if self._happens(0.004, "emptied"):
            self._empty()
        if self._happens(0.03, "withdrawal"):
            wallet = world.user.wallet("usdt")
            wallet.trade -= min(wallet.trade, rng.choice((rng.randint(1, 300), 6000)) * world.scale)
            world.moved()
        if self._happens(0.04, "hand_trade"):
            self.trade_by_hand()
        if self._happens(0.03, "clock_step"):
            world.wrong_by_ms = rng.choice((-1, 1)) * rng.choice((1_500, 8_000, 45_000, 600_000))
        world.free_bytes = 10**6 if self._happens(0.01, "disk_low") else None
        if not self._delisted and self._happens(0.015, "delisted"):
            self._delisted = f"{rng.choice(COINS).lower()}usdt"
            world.market.change_spec(self._delisted, state="offline")
        if self._happens(0.03, "paused"):
            self.pause()
        if self._happens(0.04, "targets_edited"):
            # What is on its way was sent as the old file said; whoever edits weights may edit the type of order too.
            return random_targets(world, targets.limits, random_orders(world.chance["orders"]), rng)
        return targets

    def _shake_prices(self) -> None:
        world, rng = self._world, self._world.chance["market"]
        width = 0.1 if world.quiet else 0.16
        if self._happens(0.003, "volatile_jump"):
            self._level[rng.choice(COINS)] *= rng.choice((0.2, 0.4, 1.9, 4.7))
        levels = {coin: level * (1 + rng.uniform(-width, width)) for coin, level in self._level.items()}
        world.market.move({coin.lower(): Decimal(f"{level:.6f}") for coin, level in levels.items()}, world.true_ms)
        world.lies.clear()
        lie = "" if world.quiet else chaos.draw_lie(rng)
        if lie:
            world.lies.add(lie)
            world.lied_about = rng.choice(COINS).lower()
            world.fired[lie] += 1

    def _lift(self) -> None:
        """Undo what lasts, sooner or later; at once when all is to be quiet."""
        world, rng = self._world, self._rng
        soon = 1.0 if world.quiet else 0.4
        if world.wrong_by_ms and rng.random() < soon:
            world.wrong_by_ms = 0
        if self._delisted and rng.random() < soon:
            world.market.change_spec(self._delisted, state="online")
            self._delisted = ""
        self._take_back()
        if self._elsewhere and (world.quiet or world.chance["brink"].random() < 0.6):
            self._bring_back()
        if self._pause.exists() and rng.random() < soon:
            self._pause.unlink()
            self._checker.paused = False

    def _empty(self) -> None:
        """Move all that is free to another account, for an hour or so."""
        world = self._world
        for coin in (*COINS, "USDT"):
            wallet = world.user.wallet(coin.lower())
            self._elsewhere[coin] = self._elsewhere.get(coin, Decimal(0)) + wallet.trade
            wallet.trade = Decimal(0)
        world.moved()

    def _bring_back(self) -> None:
        for coin, amount in self._elsewhere.items():
            self._world.deposit(coin, amount)
        self._elsewhere = {}

    def pause(self) -> None:
        self._pause.write_text("simulated\n", encoding="utf-8")
        self._checker.paused = True

    def trade_by_hand(self) -> None:
        world, rng = self._world, self._rng
        world.moved()
        coin = rng.choice(COINS)
        symbol, wallet = f"{coin.lower()}usdt", world.user.wallet(coin.lower())
        if rng.random() < 0.5 and wallet.trade > Decimal("0.1"):
            world.exchange.place_by_hand(world.user, symbol, "sell-market", Decimal("0.05"), world.true_ms)
        elif world.user.wallet("usdt").trade > 2 * (spent := max(Decimal(12), 100 * world.scale)):
            world.exchange.place_by_hand(world.user, symbol, "buy-market", spent, world.true_ms)

    def _lock_up(self) -> None:
        """Leave a limit order that rests: what it locks is still there, and not free."""
        world, rng = self._world, self._world.chance["brink"]
        if self._resting is not None:
            return
        world.fired["locked_up"] += 1
        coin, side = rng.choice(COINS), rng.choice(("buy", "buy", "sell"))
        price = (world.price(coin) * (Decimal("0.6") if side == "buy" else Decimal("1.6"))).quantize(Decimal("0.01"))
        share = Decimal(rng.choice((50, 90, 99))) / 100
        locked = world.user.wallet("usdt" if side == "buy" else coin.lower()).trade * share
        amount = (locked / price if side == "buy" else locked).quantize(Decimal("0.0001"), ROUND_FLOOR)
        if amount > 0:
            symbol, kind = f"{coin.lower()}usdt", f"{side}-limit"
            self._resting = world.exchange.place_by_hand(world.user, symbol, kind, amount, world.true_ms, price=price)

    def _take_back(self) -> None:
        world, resting = self._world, self._resting
        if resting is not None and (world.quiet or world.chance["brink"].random() < 0.5):
            world.exchange.cancel_by_hand(world.user, resting, world.true_ms)
            self._resting = None

    def at_the_brink(self, kinds: frozenset[str]) -> None:
        """Act while rows are synced: lock up what a plan counts on, or pause before the first byte of an order."""
        if self._world.quiet:
            return
        odds = self._world.chance["brink"].random()
        if "INTENT" in kinds and odds < 0.03:
            self._lock_up()
        if "SENDING" in kinds and odds < 0.012:
            self._world.fired["paused_at_the_brink"] += 1
            self.pause()
        elif "SENDING" in kinds and odds < 0.02:
            self._tell_to_stop()

    def _tell_to_stop(self) -> None:
        self._world.fired["told_to_stop"] += 1
        self._world.stopping = True

    def meanwhile(self) -> None:
        """Act during a cycle, at any of its waits."""
        if self._world.quiet:
            return
        if self._happens(0.004, "hand_trade"):
            self.trade_by_hand()
        if self._happens(0.004, "deposit"):
            self._world.deposit("USDT", Decimal(25))
        if self._happens(0.002, "paused"):
            self.pause()
        if self._happens(0.0006, "told_to_stop"):
            self._world.stopping = True
        if self._happens(0.0006, "suspended"):
            self._world.suspend(self._rng.choice((20_000, 90_000, 900_000, 8 * 3_600_000)))
        if self._happens(0.0006, "clock_step"):
            self._world.wrong_by_ms = self._rng.choice((-1, 1)) * self._rng.choice((1_500, 45_000, 600_000))
        if self._world.chance["brink"].random() < 0.0006:
            self._lock_up()
