"""The JSON Schema of `targets.toml`, so that an editor completes and checks it: made of the table that the parser has.

What JSON Schema cannot say (the sum, the cash among the weights, a coin that is named but not listed, two caps that
belong together), only the program says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rebalancer.core.money import plain
from rebalancer.core.targets import BandRule, OrderType
from rebalancer.targets.keys import (
    ASSET,
    COINS,
    IOC_SLIPPAGE_MAX_BPS,
    K_BY_RULE,
    QUOTE_MIN,
    SECTION_MEANING,
    SETTINGS,
    TOP_KEYS,
    VERSION,
    WEIGHT,
    Key,
    Number,
    PerCoin,
    Text,
    Word,
)

FILE_NAME = "targets.schema.json"
DIRECTIVE = "#:schema "  # how taplo and Even Better TOML are told, at the top of the file


def schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12."""
    top: dict[str, dict[str, Any]] = {
        "version": {"type": "integer", "const": VERSION},
        "quote": {"type": "string", "pattern": _whole(ASSET), "examples": ["USDT"]},
    }
    properties: dict[str, dict[str, Any]] = {name: {"description": TOP_KEYS[name], **top[name]} for name in TOP_KEYS}
    properties |= {name: _coins(kind) for name, kind in COINS.items()}
    properties |= {name: {"description": SECTION_MEANING[name], **_section(keys)} for name, keys in SETTINGS.items()}
    properties["weights"] |= {"minProperties": 2}  # the cash and one more
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "targets.toml of rebalancer",
        "description": f"Weights sum to exactly 100; the cash has at least {QUOTE_MIN} of them.",
        **_object(properties),
        "required": ["version", "quote", "weights"],
        "allOf": [_weights_rule(), *_k_rules(), *_ioc_rules()],
    }


def schema_text() -> str:
    """Return the schema as a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _section(keys: Mapping[str, Key]) -> dict[str, Any]:
    return _object({name: _key(kind) for name, kind in keys.items()})


def _key(kind: Key) -> dict[str, Any]:
    match kind:
        case Number():
            return _number(kind)
        case Word():
            return {"description": kind.meaning, "type": "string", "enum": list(kind.allowed), "default": kind.default}
        case Text():
            return {"description": kind.meaning, "type": "string", "pattern": kind.pattern, "default": kind.default}
        case PerCoin():
            return _coins(kind)


def _number(kind: Number) -> dict[str, Any]:
    low = "exclusiveMinimum" if kind.above and kind is not WEIGHT else "minimum"  # _weights_rule says more of weights
    unit = "" if "{" in kind.unit else f" ({plain(kind.low)} to {plain(kind.high)} {kind.unit})"
    made: dict[str, Any] = {
        "description": f"{kind.meaning.removesuffix('.')}{unit}.",
        "type": "integer" if kind.whole else "number",
        low: _json(kind.low),
        "maximum": _json(kind.high),
    }
    return made if kind.default is None else {**made, "default": _json(kind.default)}


def _coins(kind: PerCoin) -> dict[str, Any]:
    each: dict[str, Any]
    if isinstance(kind.each, Number):
        each = _number(kind.each)
    elif isinstance(kind.each, re.Pattern):
        each = {"type": "string", "pattern": _whole(kind.each)}
    else:
        each = {"const": kind.each}
    return {
        "description": kind.meaning,
        "type": "object",
        "patternProperties": {_whole(ASSET): each},
        "additionalProperties": False,
    }


def _weights_rule() -> dict[str, Any]:
    """Return that a weight of 0 stands only beside a section [exit]: a coin that leaves may keep its line."""
    above = {"exclusiveMinimum": _json(WEIGHT.low)}
    then = {"weights": {"patternProperties": {_whole(ASSET): above}}}
    return {"if": {"not": {"required": ["exit"]}}, "then": {"properties": then}}


def _k_rules() -> list[dict[str, Any]]:
    """Return the range and default of bands.k, which are those of the rule; absent, the rule is its default."""
    rule = SETTINGS["bands"]["rule"]
    assert isinstance(rule, Word)
    made = []
    for each, kind in K_BY_RULE.items():
        is_it: dict[str, Any] = {"properties": {"rule": {"const": each.value}}}
        if each != BandRule(rule.default):
            is_it["required"] = ["rule"]
        then = {"properties": {"bands": {"properties": {"k": _number(kind)}}}}
        made.append({"if": {"properties": {"bands": is_it}, "required": ["bands"]}, "then": then})
    return made


def _ioc_rules() -> list[dict[str, Any]]:
    """Return what does not go together with immediate-or-cancel orders."""
    ioc = {"properties": {"order_type": {"const": OrderType.IOC.value}}, "required": ["order_type"]}
    then = {
        "limits": {"properties": {"max_slippage_bps": {"maximum": IOC_SLIPPAGE_MAX_BPS}}},
    }
    return [{"if": {"properties": {"orders": ioc}, "required": ["orders"]}, "then": {"properties": then}}]


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^{pattern.pattern}$"


def _json(value: Decimal) -> int | float:
    """Return a limit as a JSON number; it is for an editor, and nothing is reckoned with it."""
    return int(value) if value == value.to_integral_value() else float(value)
