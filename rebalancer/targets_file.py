"""`targets.toml` read and checked: every problem of the file at once, each with line, value, limit and next step."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from rebalancer.core.canonical import canonical
from rebalancer.core.money import HUNDRED, ZERO, plain
from rebalancer.core.targets import BandPolicy, BandRule, Limits, Schedule, Targets
from rebalancer.errors import ConfigError

VERSION = 1
BYTES_MAX = 64 * 1024
QUOTE_MIN = Decimal(2)
ASSET = re.compile(r"[A-Z0-9]{1,20}")
SECTIONS = ("weights", "schedule", "bands", "limits", "orders", "exit", "keep", "external", "codes")
TOP = ("version", "quote", *SECTIONS)
KEYS: dict[str, tuple[str, ...]] = {
    "schedule": ("cron", "timezone", "jitter_s"),
    "bands": ("rule", "k", "floor", "cap", "destination", "per_coin"),
    "limits": (
        "max_turnover_per_cycle", "max_turnover_per_day", "max_notional_per_day", "max_order_notional",
        "max_orders_per_day", "max_slippage_bps", "cooldown_h",
    ),
    "orders": ("order_type", "route"),
}  # fmt: skip
NOT_YET = "not yet supported; take it out"
ZERO_HINT = (
    "a weight of 0 is refused: selling out ([exit]) is not yet supported; take the line out to leave the coin alone"
)


@dataclass
class Check:
    """One file being read: its data, where its keys stand, and what is wrong with it."""

    source: str
    data: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def wrong(self, path: tuple[str, ...], text: str) -> None:
        """Note a problem at a key, or at the nearest table that stands in the file."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        self.problems.append((line, f"{'.'.join(path)}: {text}" if path else text))

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a section, empty when absent; its unknown keys are noted."""
        value = self.data.get(name, {})
        if not isinstance(value, dict):
            self.wrong((name,), f"should be a section [{name}]")
            return {}
        for key in value:
            if name in KEYS and key not in KEYS[name]:
                self.wrong((name, key), _unknown(key, KEYS[name]))
        return value

    def number(
        self, section: str, key: str, default: Decimal | None, low: Decimal | int, high: Decimal | int, unit: str
    ) -> Any:
        """Return a bare number within its range; the default when absent or wrong."""
        table = self.data.get(section, {})
        if not isinstance(table, dict) or key not in table:
            return default
        value = as_decimal(table[key])
        if value is None:
            self.wrong((section, key), f"{show(table[key])} should be a bare number, {low} to {high} {unit}")
            return default
        if not low <= value <= high:
            self.wrong((section, key), f"{plain(value)} is outside {low} to {high} {unit}")
            return default
        return value

    def word(self, section: str, key: str, default: str, allowed: Mapping[str, bool]) -> str:
        """Return one of some words; those mapped to False are known and not built yet."""
        table = self.data.get(section, {})
        value = table.get(key, default) if isinstance(table, dict) else default
        if value not in allowed or not isinstance(value, str):
            self.wrong((section, key), f"{show(value)} should be one of {', '.join(allowed)}{_near(value, allowed)}")
        elif not allowed[value]:
            self.wrong((section, key), f"{show(value)} is {NOT_YET}")
        else:
            return value
        return default


def load_targets(path: Path) -> Targets:
    """Return the checked file; ConfigError with every problem in it."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; set REBALANCER_TARGETS or write one") from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {os.strerror(exc.errno or 0)}") from None
    if len(raw) > BYTES_MAX:
        raise ConfigError(f"{path}: {len(raw)} bytes, over {BYTES_MAX}; is this the right file?")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    return parse_targets(text, str(path))


def parse_targets(text: str, source: str) -> Targets:
    """Return checked targets; ConfigError with a line for each problem."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as exc:
        twice = _stands_twice(text)
        if twice:
            raise ConfigError(f"{source}:{twice}") from None
        raise ConfigError(f"{source}:{_line_of_syntax_error(str(exc), text)}: not valid TOML: {exc}") from None
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{source}: not valid TOML: {type(exc).__name__}") from None
    check = Check(source, data, line_numbers(text))
    made = _parse(check)
    if check.problems or made is None:
        shown = sorted(set(check.problems))
        raise ConfigError("\n".join(f"{source}:{line}: {problem}" for line, problem in shown))
    return made


def _parse(check: Check) -> Targets | None:
    data = check.data
    for key in data:
        if key not in TOP:
            check.wrong((key,), _unknown(key, TOP))
    if data.get("version") != VERSION or isinstance(data.get("version"), bool):
        found = f"{show(data['version'])} is not known" if "version" in data else "is missing"
        check.wrong(("version",), f"{found}; this program reads version = {VERSION}")
    for name in ("exit", "keep", "external"):
        if check.table(name):
            check.wrong((name,), f"[{name}] is {NOT_YET}")
    weights = _weights(check)
    quote = _quote(check, weights)
    codes = _codes(check, weights)
    schedule, bands, limits = _schedule(check), _bands(check), _limits(check)
    check.table("orders")
    check.word("orders", "order_type", "market", {"market": True, "ioc": False})
    check.word("orders", "route", "quote", {"quote": True, "direct": False})
    if check.problems:
        return None
    digest = hashlib.sha256(canonical(data).encode()).hexdigest()
    return Targets(quote, weights, digest, schedule, bands, limits, codes)


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
        if value is None:
            hint = '; write BTC = 35, not "35 %"' if isinstance(raw, str) else ""
            check.wrong(("weights", asset), f"{show(raw)} should be a bare number of percent{hint}")
        elif value == ZERO:
            check.wrong(("weights", asset), ZERO_HINT)
        elif not ZERO < value <= HUNDRED:
            check.wrong(("weights", asset), f"{plain(value)} is outside 0 to 100 percent")
        else:
            made[asset] = value
    total = sum(made.values(), ZERO)
    if len(made) == len(table) and total != HUNDRED:
        check.wrong(("weights",), f"weights sum to {plain(total)}, must be 100; {_difference(total, check)}")
    if len(table) < 2:  # noqa: PLR2004  # the quote coin and one more
        check.wrong(("weights",), "needs the quote coin and at least one other")
    return made


def _difference(total: Decimal, check: Check) -> str:
    quote = check.data.get("quote", "the quote coin")
    if total < HUNDRED:
        return f'give the missing {plain(HUNDRED - total)} to a coin or to "{quote}"'
    return f"take {plain(total - HUNDRED)} from a coin"


def _quote(check: Check, weights: Mapping[str, Decimal]) -> str:
    quote = check.data.get("quote")
    if not isinstance(quote, str) or not ASSET.fullmatch(quote):
        check.wrong(("quote",), f'{show(quote)} should be the cash coin, such as "USDT"')
        return ""
    if weights and quote not in weights and quote not in check.data.get("weights", {}):
        check.wrong(("quote",), f"{quote} must be listed in [weights] too, with at least {QUOTE_MIN} percent")
    elif quote in weights and weights[quote] < QUOTE_MIN:
        check.wrong(("weights", quote), f"{plain(weights[quote])} is below {QUOTE_MIN} percent: cash pays for fees")
    return quote


def _codes(check: Check, weights: Mapping[str, Decimal]) -> dict[str, str]:
    made: dict[str, str] = {}
    for asset, code in check.table("codes").items():
        if not isinstance(code, str) or not re.fullmatch(r"[a-z0-9]{1,20}", code):
            check.wrong(("codes", asset), f'{show(code)} should be HTX\'s code in small letters, such as "sonic"')
        elif asset not in weights:
            check.wrong(("codes", asset), f"{asset} is not in [weights]{_near(asset, weights)}")
        elif code in made.values():
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
    jitter = check.number("schedule", "jitter_s", Decimal(default.jitter_s), 0, 3600, "seconds")
    return Schedule(cron, zone, int(jitter))


def _cron_problem(cron: object) -> str:
    if not isinstance(cron, str) or len(cron.split()) != 5:  # noqa: PLR2004  # minute hour day month weekday
        return "is not a cron expression of five fields"
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as exc:
        return f"never fires ({exc})" if isinstance(exc, StopIteration) else f"is not a cron expression ({exc})"
    return ""


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _bands(check: Check) -> BandPolicy:
    default = BandPolicy()
    table = check.table("bands")
    if table.get("per_coin"):
        check.wrong(("bands", "per_coin"), NOT_YET)
    rule = BandRule(check.word("bands", "rule", default.rule.value, {each.value: True for each in BandRule}))
    ranges = {
        BandRule.THEORY: (Decimal("0.01"), Decimal(1), "for rule theory"),
        BandRule.RELATIVE: (Decimal(1), Decimal(100), "percent of the target for rule relative"),
        BandRule.CLAMP: (Decimal(1), Decimal(100), "percent of the target for rule clamp"),
        BandRule.ABSOLUTE: (Decimal("0.1"), Decimal(50), "points for rule absolute"),
    }
    defaults = {BandRule.THEORY: default.k, BandRule.ABSOLUTE: Decimal(5)}
    low, high, unit = ranges[rule]
    k = check.number("bands", "k", defaults.get(rule, Decimal(20)), low, high, unit)
    floor = check.number("bands", "floor", default.floor, Decimal("0.1"), 50, "points")
    cap = check.number("bands", "cap", default.cap, Decimal("0.1"), 50, "points")
    if floor > cap:
        check.wrong(("bands", "floor"), f"floor {plain(floor)} is above cap {plain(cap)}")
    destination = check.number("bands", "destination", default.destination, 0, 1, "(0 target, 1 edge of the band)")
    return BandPolicy(rule, k, floor, cap, destination)


def _limits(check: Check) -> Limits:
    default = Limits()
    if "cooldown_h" in check.table("limits"):
        check.wrong(("limits", "cooldown_h"), NOT_YET)
    number = check.number
    percent = "percent of the portfolio"
    cycle = number("limits", "max_turnover_per_cycle", default.max_turnover_per_cycle, Decimal("0.1"), 100, percent)
    day = number("limits", "max_turnover_per_day", default.max_turnover_per_day, Decimal("0.1"), 1000, percent)
    if cycle > day:
        check.wrong(
            ("limits", "max_turnover_per_cycle"), f"{plain(cycle)} is above max_turnover_per_day = {plain(day)}"
        )
    orders = number("limits", "max_orders_per_day", Decimal(default.max_orders_per_day), 1, 10_000, "orders")
    if orders != orders.to_integral_value():
        check.wrong(("limits", "max_orders_per_day"), f"{plain(orders)} should be a whole number")
    huge = Decimal(10) ** 9
    return Limits(
        max_turnover_per_cycle=cycle,
        max_turnover_per_day=day,
        max_notional_per_day=number("limits", "max_notional_per_day", None, 1, huge, "in the quote coin"),
        max_order_notional=number("limits", "max_order_notional", None, 1, huge, "in the quote coin"),
        max_orders_per_day=int(orders),
        max_slippage_bps=number("limits", "max_slippage_bps", default.max_slippage_bps, 1, 1000, "basis points"),
    )


def as_decimal(value: object) -> Decimal | None:
    """Return a TOML number as a finite Decimal, or None for anything else, NaN and infinity among it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    return None


def show(value: object) -> str:
    """Return a value as the file has it, shortened."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004  # fits a line


def _unknown(key: str, known: tuple[str, ...]) -> str:
    return f"unknown key{_near(key, known)}; known here: {', '.join(known)}"


def _near(word: object, known: Any) -> str:
    near = difflib.get_close_matches(str(word), list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-\"]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"]+)\s*=")


def _places(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each section header and key with its line; the parser itself keeps none."""
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = tuple(part.strip('"') for part in header[1].split("."))
            yield section, number
        elif key := _KEY.match(line):
            yield (*section, key[1].strip('"')), number


def line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Return the first line of each section header and key, for messages."""
    found: dict[tuple[str, ...], int] = {}
    for path, number in _places(text):
        found.setdefault(path, number)
    return found


def _stands_twice(text: str) -> str:
    """Return line and words for the first key that stands twice, or an empty text."""
    seen: dict[tuple[str, ...], int] = {}
    for path, number in _places(text):
        if path in seen:
            return f"{number}: {'.'.join(path)} stands twice, first on line {seen[path]}; keep one of them"
        seen[path] = number
    return ""


def _line_of_syntax_error(words: str, text: str) -> int:
    """Return the line that tomllib names; at the end of a half-written file it is the last one."""
    match = re.search(r"line (\d+)", words)
    return int(match[1]) if match else max(1, text.count("\n"))
