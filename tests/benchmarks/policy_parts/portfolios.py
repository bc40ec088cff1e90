"""Which portfolio a price file is tried with, unless the command names one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from rebalancer.backtest.series import Series, coins_of, generate, read_csv
from rebalancer.core.money import HUNDRED, parse_decimal
from rebalancer.core.targets import BandPolicy, Limits, OrderPolicy, Targets
from rebalancer.errors import ConfigError

QUOTE = "USDT"
DEFAULT = {
    coin: Decimal(percent)
    for coin, percent in {
        "BTC": 25, "ETH": 20, "BNB": 10, "XRP": 10, "ADA": 10, "LTC": 5, "TRX": 5, "XLM": 5, QUOTE: 10,
    }.items()
}  # fmt: skip
COINS_MAX = 8
STEP = Decimal("0.01")
GENERATED_DAYS = 1300
GENERATED_SEED = 4


def targets_of(weights: Mapping[str, Decimal], quote: str) -> Targets:
    """Return the owner's defaults around these weights."""
    if sum(weights.values()) != HUNDRED:
        raise ConfigError(f"--targets sum to {sum(weights.values())}, must be exactly 100 percent, {quote} included")
    if quote not in weights:
        raise ConfigError(f"--targets name no {quote}; cash is a target like any other")
    if len(weights) == 1 or min(weights.values()) <= 0:
        raise ConfigError("--targets need at least one coin beside the cash, and weights above zero")
    return Targets(
        quote=quote, weights=weights, digest="0" * 64, bands=BandPolicy(), limits=Limits(), orders=OrderPolicy()
    )


def parse_weights(text: str) -> dict[str, Decimal]:
    """Read `BTC=60,ETH=30,USDT=10`."""
    made: dict[str, Decimal] = {}
    for part in text.split(","):
        name, _, percent = part.partition("=")
        asset = name.strip().upper()
        try:
            weight = parse_decimal(percent.strip())
        except ValueError as exc:
            raise ConfigError(f"--targets: {part.strip()!r} is not COIN=PERCENT, as in BTC=60") from exc
        if not asset or asset in made:
            raise ConfigError(f"--targets: {part.strip()!r} names no coin, or one twice")
        made[asset] = weight
    return made


def weights_for(coins: Sequence[str]) -> dict[str, Decimal]:
    """Return the default weights for the coins that a file has; equal ones when it has none of the default's."""
    known = {coin: DEFAULT[coin] for coin in DEFAULT if coin in coins and coin != QUOTE}
    chosen = known or dict.fromkeys([coin for coin in coins if coin != QUOTE][:COINS_MAX], Decimal(1))
    if not chosen:
        raise ConfigError("the price file has no coin in it")
    room, total = HUNDRED - DEFAULT[QUOTE], sum(chosen.values())
    made = {coin: (weight * room / total).quantize(STEP) for coin, weight in chosen.items()}
    made[QUOTE] = HUNDRED - sum(made.values())
    return made


def prices_and_targets(path: Path | None, weights: str | None, quote: str) -> tuple[Series, Targets]:
    """Return what to try: a file or a generated series, with the weights asked for or those that suit it."""
    if weights is not None:
        targets = targets_of(parse_weights(weights), quote)
    else:
        targets = targets_of(weights_for(coins_of(path) if path is not None else tuple(DEFAULT)), QUOTE)
    coins = [asset for asset in targets.assets if asset != targets.quote]
    if path is not None:
        return read_csv(path, coins), targets
    return generate(GENERATED_SEED, GENERATED_DAYS, coins), targets
