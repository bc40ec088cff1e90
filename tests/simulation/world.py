"""Everything outside the code under test, from one seed: time, market, exchange, account, and what went wrong so far."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.http import Request
from rebalancer.simulator.market import Market
from rebalancer.simulator.specs import SymbolSpec
from rebalancer.simulator.state import User

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
COINS = ("BTC", "ETH", "SOL")
CROSSES = ("ethbtc", "solbtc", "soleth")
LISTING = (*(f"{coin.lower()}usdt" for coin in (*COINS, "USDC")), *CROSSES)
SPOT = "10101010"
HOST = "127.0.0.1:1"
ACCESS_KEY, SECRET_KEY = "simulated-access-key", "simulated-secret-key"
CRASH_ODDS = 0.0012
SYNC_CRASH_ODDS = 0.02
STREAMS = ("network", "crash", "market", "hands", "client", "gather", "setup", "orders", "twice", "brink", "rows",
           "owner", "files", "page", "slots", "stable")  # fmt: skip


class Crash(BaseException):
    """The process dies here; nothing of it runs any further."""


class Violation(AssertionError):
    """An invariant does not hold."""


def must(holds: object, invariant: str, text: str) -> None:
    if not holds:
        raise Violation(f"{invariant}: {text}")


class ShockedMarket(Market):
    """A still market whose prices move only by shocks between cycles, so that harm done within one can be seen."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed, anchor_ms=START_MS, still=True, listing=LISTING, dust=6)
        self.factors: dict[str, Decimal] = {}
        self._history: list[tuple[int, dict[str, Decimal]]] = [(START_MS - DAY_MS, {})]

    def move(self, factors: dict[str, Decimal], now_ms: int) -> None:
        """Put prices at these multiples of the snapshot's."""
        self.factors |= factors
        self._history.append((now_ms, dict(self.factors)))

    def run_away(self, code: str, factor: Decimal, now_ms: int) -> None:
        """Move one price while something is under way."""
        self.move({code: self.factors.get(code, Decimal(1)) * factor}, now_ms)

    def _usd(self, code: str, now_ms: int) -> Decimal:
        return super()._usd(code, self.anchor_ms) * self.factors.get(code, Decimal(1))

    def open_24h(self, symbol: str, now_ms: int) -> Decimal:
        spec: SymbolSpec = self.specs()[symbol]
        then = next(factors for at, factors in reversed(self._history) if at <= max(now_ms, START_MS) - DAY_MS)
        base, quote = (
            then.get(coin, Decimal(1)) / self.factors.get(coin, Decimal(1)) for coin in (spec.base, spec.quote)
        )
        return (self._exact(spec, now_ms) * base / quote).quantize(Decimal(1).scaleb(-spec.price_precision))


class World:
    """One seed's universe. `quiet` ends all faults, crashes and hands: the phase in which everything must settle."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = {name: random.Random(f"{seed}/{name}") for name in STREAMS}
        self.true_ms = START_MS
        self.wrong_by_ms = 0  # our wall clock minus the exchange's
        self.quiet = False
        self.step = 0
        self.calls = 0
        self.fired: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.lies: set[str] = set()  # about prices, for as long as a cycle
        self.lied_about = "btc"
        self.moved_ms = 0  # when somebody else last took coins away
        self.touched_ms = 0  # when somebody else last took coins away or brought some
        self.posted: dict[str, int] = {}  # place calls by client id, of every machine and every life
        self.stopping = False  # the service was told to end
        self.slept_ms = 0  # how long the machine was suspended: its count of seconds stood still
        self.unforeseen: set[str] = (
            set()
        )  # ids of orders that no rule lets one expect: what is believed of them may be wrong
        self.free_bytes: int | None = None  # on the journal's disk
        self.obeying = False  # whether the service takes files right now
        self.mute_until_ms = 0  # no question about an order is answered until then
        self.storm_until_ms = 0  # every call is answered 429 until then
        self.meanwhile: Callable[[], None] = lambda: None  # what others do while we wait
        self.at_the_brink: Callable[[frozenset[str]], None] = lambda _: None  # and while rows of such kinds are synced
        self.market = ShockedMarket(seed)
        setup = self.chance["setup"]
        self.scale = Decimal(setup.choice(("1", "1", "1", "0.01")))  # of all that is held and moved
        self.with_stable = self.chance["stable"].random() < 0.2  # another stable coin is a target
        options = ExchangeOptions(
            buy_precision=setup.choice(("value", "value", "amount")),
            fill_precision=setup.choice(("significant", "amount")),
            old_shape=setup.random() < 0.3,
            deduct_fees_in_points=setup.random() < 0.2,
            duplicates=setup.choice(("accept", "accept", "reject")),
        )
        self.exchange = Exchange(self.market, options=options)
        self.user: User = self.exchange.add_user(ACCESS_KEY, SECRET_KEY, self._holdings(setup, self.scale))

    @staticmethod
    def _holdings(setup: random.Random, scale: Decimal) -> dict[str, Decimal]:
        held = {
            "BTC": Decimal(setup.randint(5, 60)) / 100,
            "ETH": Decimal(setup.randint(10, 900)) / 100,
            "SOL": Decimal(setup.randint(0, 9000)) / 100,
            "USDT": Decimal(setup.choice((800, 2000, 8000, 20_000)) + setup.randint(0, 8000)),
        }
        return {coin: amount * scale for coin, amount in held.items()} | {
            "USDC": Decimal(0),
            "HTX": Decimal(10_000_000),
        }

    @property
    def now(self) -> datetime:
        """Return the exchange's time."""
        return EPOCH + timedelta(milliseconds=self.true_ms)

    def pass_ms(self, ms: int) -> None:
        assert ms >= 0, ms
        self.true_ms += ms
        self.step += 1

    def suspend(self, ms: int) -> None:
        """Let the machine sleep."""
        self.slept_ms += ms
        self.pass_ms(ms)

    def let_late_requests_arrive(self) -> None:
        """Let the exchange carry out what is due by now, as it does without being asked anything."""
        url = Request("GET", HOST, "/v1/common/timestamp", "", {}, b"", "127.0.0.1")
        self.exchange.handle(url, self.true_ms)

    def maybe_crash(self, place: str, odds: float = CRASH_ODDS) -> None:
        if not self.quiet and self.chance["crash"].random() < odds:
            self.crashes[place] += 1
            self.fired["crash"] += 1
            raise Crash(place)

    def sync(self) -> None:
        """Let a file be synced; the service dies there, the owner's own terminal does not."""
        if self.obeying:
            self.maybe_crash("sync of a file", SYNC_CRASH_ODDS)

    def deposit(self, asset: str, amount: Decimal) -> None:
        """Let somebody bring coins."""
        self.exchange.deposit(self.user, asset, amount)
        self.touched_ms = self.true_ms

    def moved(self) -> None:
        """Take down that somebody took coins away, or traded."""
        self.moved_ms = self.touched_ms = self.true_ms

    def held(self, asset: str) -> Decimal:
        wallet = self.user.wallet(asset.lower())
        return wallet.trade + wallet.frozen

    def price(self, asset: str) -> Decimal:
        return Decimal(1) if asset == "USDT" else self.market.last_price(f"{asset.lower()}usdt", self.true_ms)


class SimClock:
    """The machine's clock: its wall time may be wrong or step, its monotonic time stands still while it is suspended.

    Sleeping lets others act.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now + timedelta(milliseconds=self._world.wrong_by_ms)

    def monotonic_s(self) -> float:
        return (self._world.true_ms - self._world.slept_ms - START_MS) / 1000

    def sleep(self, seconds: float) -> None:
        self._world.maybe_crash("sleep")
        self._world.pass_ms(1 if self._world.stopping else max(1, round(seconds * 1000)))
        self._world.meanwhile()
