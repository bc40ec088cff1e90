"""What the simulated exchange lists: symbols with their rules, the default snapshot, a real list's oddities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """One pair and what it accepts; names in lower case, as HTX writes them."""

    symbol: str
    base: str
    quote: str
    price_precision: int
    amount_precision: int
    value_precision: int
    min_order_value: Decimal
    sell_market_min_amount: Decimal
    sell_market_max_amount: Decimal
    buy_market_max_value: Decimal
    spread_bps: Decimal
    level_quote: Decimal  # quote value of the first level of each side
    market_buy_rate: Decimal = Decimal("0.1")
    market_sell_rate: Decimal = Decimal("0.1")
    taker_fee: Decimal = Decimal("0.002")
    state: str = "online"
    api_trading: str = "enabled"
    tags: str = ""


@dataclass(slots=True)
class MarketStatus:
    """`/v2/market-status`: 1 normal, 2 halted, 3 cancel-only."""

    state: int = 1
    affected: str = "all"
    halt_start_ms: int | None = None
    halt_end_ms: int | None = None

    def stops(self, symbol: str) -> bool:
        """Return whether orders for a pair are refused."""
        affected = self.affected.split(",")
        return self.state != 1 and ("all" in affected or symbol in affected)


@dataclass(frozen=True, slots=True)
class Coin:
    """One line of a snapshot: USD price, its change over 24 h, and how liquid its USDT pair is."""

    code: str
    price_usd: Decimal
    change_24h_pct: Decimal
    price_precision: int
    amount_precision: int
    spread_bps: Decimal
    level_quote: Decimal


def _coins(table: str) -> tuple[Coin, ...]:
    made = []
    for line in table.split("\n"):
        if line.strip():
            code, price, change, pp, ap, spread, level = line.split()
            made.append(Coin(code, Decimal(price), Decimal(change), int(pp), int(ap), Decimal(spread), Decimal(level)))
    return tuple(made)


# code, USD, 24 h %, decimals of price and of amount, spread in bps, quote value of the best level
SNAPSHOT = _coins("""
btc   87959.907984  1.34  2 6 0.8 60000
eth    2920.497338  3.04  2 4 1   40000
usdt      0.999775  0.00  4 4 1   40000
xrp       2.237324  8.12  5 2 2   20000
bnb     860.243768  0.90  2 4 3   15000
sol     138.089498  5.43  4 4 2   20000
usdc      0.999807  0.01  4 4 1   40000
trx       0.272801 -1.53  6 2 3   15000
doge      0.150904  2.96  6 2 3   15000
ada       0.421635  1.97  6 4 3   12000
hype     32.152445  2.23  4 4 6   6000
bch     533.301069 -1.94  2 4 4   8000
link     12.953417  2.68  4 4 3   12000
leo       9.535951  0.73  4 4 9   3000
zec     521.483386 -2.87  2 4 5   6000
""")

# Pairs among the large coins; their prices follow from the USDT pairs.
CROSSES = (
    ("eth", "btc"), ("xrp", "btc"), ("bnb", "btc"), ("sol", "btc"), ("link", "btc"), ("ada", "btc"),
    ("trx", "btc"), ("bch", "btc"), ("doge", "btc"), ("xrp", "eth"), ("bnb", "eth"), ("sol", "eth"), ("link", "eth"),
)  # fmt: skip
_CROSS_MIN = {"btc": Decimal("0.0001"), "eth": Decimal("0.001")}


def usdt_pair(coin: Coin, usdt_usd: Decimal) -> SymbolSpec:
    """Return the USDT pair of a coin with limits that fit its price."""
    price = coin.price_usd / usdt_usd
    step = Decimal(1).scaleb(-coin.amount_precision)
    return SymbolSpec(
        symbol=f"{coin.code}usdt",
        base=coin.code,
        quote="usdt",
        price_precision=coin.price_precision,
        amount_precision=coin.amount_precision,
        value_precision=8,
        min_order_value=Decimal(10),
        sell_market_min_amount=max(step, _round_amount(Decimal(1) / price, coin.amount_precision)),
        sell_market_max_amount=_round_amount(Decimal(500_000) / price, coin.amount_precision) + step,
        buy_market_max_value=Decimal(1_000_000),
        spread_bps=coin.spread_bps,
        level_quote=coin.level_quote,
    )


def cross_pair(base: Coin, quote: Coin) -> SymbolSpec:
    """Return a pair quoted in a large coin."""
    price = base.price_usd / quote.price_usd
    precision = min(10, 5 - price.adjusted())
    return SymbolSpec(
        symbol=base.code + quote.code,
        base=base.code,
        quote=quote.code,
        price_precision=precision,
        amount_precision=base.amount_precision,
        value_precision=8,
        min_order_value=_CROSS_MIN[quote.code],
        sell_market_min_amount=Decimal(1).scaleb(-base.amount_precision),
        sell_market_max_amount=_round_amount(Decimal(100_000) / base.price_usd, base.amount_precision) + 1,
        buy_market_max_value=Decimal(20),
        spread_bps=base.spread_bps + quote.spread_bps + 2,
        level_quote=base.level_quote / 4 / quote.price_usd,
    )


def _round_amount(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits))


def default_specs() -> dict[str, SymbolSpec]:
    """Return the default listing by symbol: the tradable pairs, then pairs that a client must refuse."""
    coins = {coin.code: coin for coin in SNAPSHOT}
    usdt = coins["usdt"].price_usd
    pairs = [usdt_pair(coin, usdt) for coin in SNAPSHOT if coin.code != "usdt"]
    pairs += [cross_pair(coins[base], coins[quote]) for base, quote in CROSSES]
    return {spec.symbol: spec for spec in [*pairs, *_oddities(pairs[0])]}


def _oddities(like: SymbolSpec) -> Iterable[SymbolSpec]:
    """Yield a delisted pair, one closed to API keys, one without decimals, and a leveraged token."""
    common = {
        "quote": "usdt", "value_precision": 8, "min_order_value": like.min_order_value,
        "sell_market_max_amount": Decimal(10_000_000), "buy_market_max_value": Decimal(100_000),
        "spread_bps": Decimal(20), "level_quote": Decimal(500),
    }  # fmt: skip
    one = Decimal(1)
    yield SymbolSpec("husdusdt", "husd", price_precision=4, amount_precision=4, sell_market_min_amount=one,
                     state="offline", **common)  # type: ignore[arg-type]  # fmt: skip
    yield SymbolSpec("nftusdt", "nft", price_precision=10, amount_precision=0, sell_market_min_amount=one,
                     **common)  # type: ignore[arg-type]  # fmt: skip
    yield SymbolSpec("gtusdt", "gt", price_precision=4, amount_precision=2, sell_market_min_amount=one,
                     api_trading="disabled", **common)  # type: ignore[arg-type]  # fmt: skip
    yield SymbolSpec("btc3lusdt", "btc3l", price_precision=4, amount_precision=4, sell_market_min_amount=one,
                     tags="etp,nav,holdinglimit", **common)  # type: ignore[arg-type]  # fmt: skip


# USD prices of the oddities.
ODD_PRICES = {"husd": Decimal("0.3"), "nft": Decimal("0.00000043"), "gt": Decimal("10.2"), "btc3l": Decimal("1.8")}
DUST_CURRENCIES = 1400  # HTX's balance list has a row for everything it ever listed
