"""`targets.toml` read and checked: every problem of the file at once, each with line, value, limit and next step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from rebalancer.core.canonical import canonical
from rebalancer.core.money import HUNDRED, ZERO, plain
from rebalancer.core.targets import (
    BandPolicy,
    BandRule,
    Limits,
    OrderPolicy,
    OrderType,
    Route,
    Schedule,
    Targets,
)
from rebalancer.errors import ConfigError
from rebalancer.targets.check import Check, as_decimal, near, too_fine, unknown_key
from rebalancer.targets.coins import amounts_of, coins_to_leave, is_leaving, per_coin_bands
from rebalancer.targets.keys import (
    ASSET,
    CODE,
    CRON_FIELDS,
    IOC_SLIPPAGE_MAX_BPS,
    K_BY_RULE,
    QUOTE_MIN,
    SETTINGS,
    TOP,
    VERSION,
    WEIGHT,
)
from rebalancer.targets.toml_text import decode, line_numbers, loads, read_bytes, show

ZERO_HINT = (
    "a weight of 0 is refused: sell the coin completely with COIN = true in [exit], or take the line out to leave it "
    "alone"
)


def load_targets(path: Path) -> Targets:
    """Return the checked file; ConfigError with every problem in it."""
    return parse_bytes(read_bytes(path), str(path))


def parse_bytes(raw: bytes, source: str) -> Targets:
    """Return checked targets of a file's content; ConfigError with a line for each problem."""
    return parse_targets(decode(raw, source), source)


def parse_targets(text: str, source: str) -> Targets:
    """Return checked targets; ConfigError with a line for each problem."""
    check = Check(loads(text, source), line_numbers(text))
    made = _parse(check)
    if check.problems or made is None:
        shown = sorted(set(check.problems))
        raise ConfigError("\n".join(f"{source}:{line}: {problem}" for line, problem in shown))
    return made


def _parse(check: Check) -> Targets | None:
    data = check.data
    for key in data:
        if key not in TOP:
            check.wrong((key,), unknown_key(key, TOP))
    _version(check)
    leaving = coins_to_leave(check)
    weights = _weights(check)
    quote = _quote(check, weights)
    codes = _codes(check)
    schedule, bands, limits = _schedule(check), _bands(check), _limits(check)
    kept = amounts_of(check, "keep", (*weights, *leaving))
    external = amounts_of(check, "external", tuple(weights))
    orders = _orders(check, limits)
    if check.problems:
        return None
    digest = hashlib.sha256(canonical(data).encode()).hexdigest()
    return Targets(quote, weights, digest, schedule, bands, limits, orders, codes, leaving, kept, external)


def _version(check: Check) -> None:
    found = check.data.get("version")
    if found is None:
        check.wrong(("version",), f"is missing; write version = {VERSION} as the first line")
    elif type(found) is not int or found != VERSION:  # 1.0 and true equal 1
        check.wrong(("version",), f"{show(found)} is not known; this program reads version = {VERSION}")


def _weights(check: Check) -> dict[str, Decimal]:
    table = check.data.get("weights")
    if not isinstance(table, dict) or not table:
        check.wrong(("weights",), "is missing: list each coin with its percent, summing to 100")
        return {}
    made: dict[str, Decimal] = {}
    for asset, raw in table.items():
        if not ASSET.fullmatch(asset):
            hint = f"; write {asset.upper()}" if ASSET.fullmatch(asset.upper()) else ""
            check.wrong(("weights", asset), f"an asset is capital letters and digits{hint}")
        value = as_decimal(raw)
        if value == ZERO and is_leaving(check, asset):
            continue
        if value is None:
            hint = '; write BTC = 35, not "35 %"' if isinstance(raw, str) else ""
            check.wrong(("weights", asset), f"{show(raw)} should be a bare number of percent{hint}")
        elif value == ZERO:
            check.wrong(("weights", asset), ZERO_HINT)
        elif not WEIGHT.low < value <= WEIGHT.high:
            check.wrong(("weights", asset), f"{show(raw)} is outside {WEIGHT.low} to {WEIGHT.high} {WEIGHT.unit}")
        elif fine := too_fine(value):
            check.wrong(("weights", asset), fine)
        else:
            made[asset] = value
    _sum(check, made, [asset for asset in table if asset in made or not is_leaving(check, asset)])
    return made


def _sum(check: Check, made: Mapping[str, Decimal], listed: Sequence[str]) -> None:
    total = sum(made.values(), ZERO)
    if len(made) == len(listed) and total != HUNDRED:
        check.wrong(("weights",), f"weights sum to {plain(total)}, must be 100; {_difference(total, check)}")
    if len(listed) < 2:  # noqa: PLR2004  # the quote coin and one more
        check.wrong(("weights",), "needs the quote coin and at least one other")


def _difference(total: Decimal, check: Check) -> str:
    if total < HUNDRED:
        quote = check.data.get("quote")
        cash = show(quote) if isinstance(quote, str) else "the cash coin"
        return f"give the missing {plain(HUNDRED - total)} to a coin or to {cash}"
    return f"take {plain(total - HUNDRED)} from a coin"


def _quote(check: Check, weights: Mapping[str, Decimal]) -> str:
    quote = check.data.get("quote")
    if not isinstance(quote, str) or not ASSET.fullmatch(quote):
        found = "is missing:" if quote is None else show(quote)
        check.wrong(("quote",), f'{found} should be the cash coin, such as "USDT"')
        return ""
    if weights and quote not in weights and quote not in check.data.get("weights", {}):
        check.wrong(("quote",), f"{quote} must be listed in [weights] too, with at least {QUOTE_MIN} percent")
    elif quote in weights and weights[quote] < QUOTE_MIN:
        check.wrong(("weights", quote), f"{plain(weights[quote])} is below {QUOTE_MIN} percent: cash pays for fees")
    return quote


def _codes(check: Check) -> dict[str, str]:
    weights = check.data.get("weights")
    leaving = check.table("exit")
    listed: Mapping[str, Any] = {**(weights if isinstance(weights, dict) else {}), **leaving}
    table = check.table("codes")
    made: dict[str, str] = {}
    for asset, code in table.items():
        if not isinstance(code, str) or not CODE.fullmatch(code):
            check.wrong(("codes", asset), f'{show(code)} should be HTX\'s code in small letters, such as "sonic"')
        elif asset not in listed:
            check.wrong(("codes", asset), f"is not in [weights] or [exit]{near(asset, listed)}")
        elif code in made.values() or (code.upper() in listed and code.upper() not in table):
            check.wrong(("codes", asset), f'"{code}" already stands for another asset')
        else:
            made[asset] = code
    return made


def _schedule(check: Check) -> Schedule:
    default = Schedule()
    table = check.table("schedule")
    cron, zone = table.get("cron", default.cron), table.get("timezone", default.timezone)
    if not isinstance(zone, str) or not _is_zone(zone):
        check.wrong(("schedule", "timezone"), f'{show(zone)} is not a time zone such as "UTC" or "Europe/Berlin"')
        zone = default.timezone
    problem = _cron_problem(cron)
    if problem:
        check.wrong(("schedule", "cron"), f'{show(cron)} {problem}; write five fields such as "7 * * * *"')
        cron = default.cron
    return Schedule(cron, zone, int(check.number("schedule", "jitter_s")))


def _cron_problem(cron: object) -> str:
    if not isinstance(cron, str) or len(cron.split()) != CRON_FIELDS:
        return "is not a cron expression of five fields"
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except StopIteration:
        return "never fires"
    except CronSimError as exc:
        return f"is not a cron expression ({exc})"
    return ""


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _bands(check: Check) -> BandPolicy:
    table = check.table("bands")
    per_coin = per_coin_bands(check, table.get("per_coin", {}))
    rule = BandRule(check.word("bands", "rule"))
    k = check.number("bands", "k", replace(K_BY_RULE[rule], unit=K_BY_RULE[rule].unit.format(rule)))
    floor, cap = check.number("bands", "floor"), check.number("bands", "cap")
    if floor > cap:
        check.wrong(("bands", "floor"), f"floor {plain(floor)} is above cap {plain(cap)}")
    return BandPolicy(rule, k, floor, cap, check.number("bands", "destination"), per_coin)


def _orders(check: Check, limits: Limits) -> OrderPolicy:
    check.table("orders")
    order_type, route = check.word("orders", "order_type"), check.word("orders", "route")
    if order_type == OrderType.IOC and limits.max_slippage_bps > IOC_SLIPPAGE_MAX_BPS:
        text = f"{plain(limits.max_slippage_bps)} is above {IOC_SLIPPAGE_MAX_BPS} basis points, the most for"
        check.wrong(
            ("limits", "max_slippage_bps"),
            f'{text} order_type = "ioc": HTX refuses limit prices far from the last trade',
        )
    return OrderPolicy(OrderType(order_type), Route(route))


def _limits(check: Check) -> Limits:
    check.table("limits")
    made = {key: check.number("limits", key) for key in SETTINGS["limits"]}
    cycle, day = made["max_turnover_per_cycle"], made["max_turnover_per_day"]
    if cycle > day:
        check.wrong(
            ("limits", "max_turnover_per_cycle"), f"{plain(cycle)} is above max_turnover_per_day = {plain(day)}"
        )
    return Limits(**{**made, "max_orders_per_day": int(made["max_orders_per_day"])})
