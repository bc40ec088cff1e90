"""The JSON Schema of `targets.toml`: it knows what the parser knows, and an editor finds it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rebalancer.core.money import plain
from rebalancer.core.targets import BandRule
from rebalancer.errors import ConfigError
from rebalancer.targets.file import parse_targets
from rebalancer.targets.keys import COINS, K_BY_RULE, SETTINGS, TOP, TOP_KEYS, Number, PerCoin, Word
from rebalancer.targets.new import shipped_text
from rebalancer.targets.schema import DIRECTIVE, FILE_NAME, schema, schema_text
from rebalancer.targets.toml_text import loads
from tests.targets.files import GOOD, UNTIMED, Written, written
from tests.targets.test_file import REFUSED

ROOT = Path(__file__).parents[2]
EDITOR = Draft202012Validator(schema())
NUMBERS = [
    (section, key) for section, keys in SETTINGS.items() for key, kind in keys.items() if isinstance(kind, Number)
]
# What JSON Schema has no words for: sums, what one key says of another's coins, calendars, and how a number is written.
BEYOND = {
    "band of a coin that is not listed", "band of a coin that leaves", "kept coin that is not listed",
    "external coin that is not listed", "external coin that leaves", "exit of a coin with a weight", "exit of the cash",
    "sum below", "sum above", "sum a hair above", "finer than is summed", "kept amount too fine",
    "number too fine to print", "version as a fraction", "quote not among the weights", "too little cash",
    "code of no target", "code that is another coin's", "code given twice", "cron that never fires",
    "cron out of range", "unknown time zone", "floor above cap", "cycle cap above day cap",
}  # fmt: skip


def as_json(value: Any) -> Any:
    """Return a document as an editor sees it: plain numbers, and texts for what JSON does not have."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, Decimal):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    return value if isinstance(value, int | str) else str(value)


def complaints(text: str) -> list[str]:
    """Return where an editor sees something wrong."""
    found = EDITOR.iter_errors(as_json(loads(text, "targets.toml")))
    return [".".join(map(str, error.absolute_path)) for error in found]


def refused(text: str) -> bool:
    try:
        parse_targets(text, "targets.toml")
    except ConfigError:
        return True
    return False


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def described(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, below in part.get("properties", {}).items():
        yield f"{path}{name}", below
        yield from described(below, f"{path}{name}.")


def test_every_key_that_the_parser_takes_is_in_it_described_and_no_other() -> None:
    found = dict(described(schema()))
    known = set(TOP) | {f"{section}.{key}" for section, keys in SETTINGS.items() for key in keys}
    assert set(found) == known
    assert all(part["description"] for part in found.values())
    assert set(TOP) == {*TOP_KEYS, *SETTINGS, *COINS}


@pytest.mark.parametrize(("section", "key"), NUMBERS)
def test_each_default_is_what_the_parser_takes_for_a_key_that_is_absent(section: str, key: str) -> None:
    value = getattr(getattr(parse_targets(GOOD, "f"), section), key)
    shown = dict(described(schema()))[f"{section}.{key}"].get("default")
    if key == "k":  # of the rule's own
        assert shown is None and value == K_BY_RULE[BandRule.THEORY].default
    else:
        assert (None if shown is None else Decimal(str(shown))) == value


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "nested without end"])  # too deep for `as_json`
def test_what_the_parser_refuses_an_editor_marks_as_far_as_a_schema_can_say(name: str) -> None:
    old, new, _, _ = REFUSED[name]
    text = GOOD.replace(old, new, 1) if old else f"{GOOD}{new}\n"
    try:
        loads(text, "f")
    except ConfigError:
        return  # no TOML: the editor's own business
    assert bool(complaints(text)) == (name not in BEYOND)


def test_each_case_beyond_a_schema_is_a_case() -> None:
    assert set(REFUSED) >= BEYOND


@given(written())
@UNTIMED
def test_an_editor_marks_nothing_in_a_file_that_is_in_order(made: Written) -> None:
    assert not refused(made.text) and complaints(made.text) == []


@given(st.data())
@UNTIMED
def test_a_number_is_marked_if_and_only_if_the_parser_refuses_it(data: st.DataObject) -> None:
    section, key = data.draw(st.sampled_from(NUMBERS))
    kind, lines = SETTINGS[section][key], []
    if key == "k":
        rule = data.draw(st.sampled_from(BandRule))
        kind, lines = K_BY_RULE[rule], [f'rule = "{rule}"']
    assert isinstance(kind, Number)
    step = Decimal(1) if kind.whole else Decimal("0.001")
    near = [edge + step * n for edge in (kind.low, kind.high) for n in (-1, 0, 1)]
    value = data.draw(st.sampled_from([*near, Decimal(0), kind.low + Decimal("0.5")]) | st.decimals(-9, 2000, places=3))
    # The two pairs of caps that belong together are out of their way: a schema cannot compare keys.
    wide = {"floor": "cap = 50", "cap": "floor = 0.1", "max_turnover_per_cycle": "max_turnover_per_day = 1000",
            "max_turnover_per_day": "max_turnover_per_cycle = 0.1"}.get(key)  # fmt: skip
    text = "\n".join([GOOD, f"[{section}]", *lines, *([wide] if wide else []), f"{key} = {plain(value)}", ""])
    assert bool(complaints(text)) == refused(text), text


@pytest.mark.parametrize(
    ("section", "key"),
    [(section, key) for section, keys in SETTINGS.items() for key, kind in keys.items() if isinstance(kind, Word)],
)
def test_every_word_is_offered_and_no_other(section: str, key: str) -> None:
    kind = SETTINGS[section][key]
    assert isinstance(kind, Word)
    for word in kind.allowed:
        text = f'{GOOD}[{section}]\n{key} = "{word}"\n'
        assert not refused(text) and complaints(text) == []
    assert complaints(f'{GOOD}[{section}]\n{key} = "{kind.default}x"\n') == [f"{section}.{key}"]


def test_a_coin_that_leaves_may_keep_its_line_with_0() -> None:
    text = GOOD.replace("[weights]", "[weights]\nDOGE = 0")
    assert complaints(text) == ["weights.DOGE"] and refused(text)
    assert complaints(f"{text}[exit]\nDOGE = true\n") == [] and not refused(f"{text}[exit]\nDOGE = true\n")


def test_the_sections_of_single_coins_take_coins_only() -> None:
    places = {**COINS, "bands.per_coin": SETTINGS["bands"]["per_coin"]}
    for name, kind in places.items():
        assert isinstance(kind, PerCoin)
        if name != "weights":
            assert complaints(f"{GOOD}[{name}]\nbtc = 1\n") == [name], name


def test_the_file_that_ships_is_this_schema_and_the_shipped_targets_point_to_it() -> None:
    head = (ROOT / "targets.toml").read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith(DIRECTIVE)
    named = ROOT / head.removeprefix(DIRECTIVE)
    assert named.read_text(encoding="utf-8") == schema_text()  # if not: `rebalancer targets schema --output` there
    assert complaints((ROOT / "targets.toml").read_text(encoding="utf-8")) == []


def test_a_new_owners_file_names_the_schema_that_lies_beside_it() -> None:
    assert shipped_text().splitlines()[0] == f"{DIRECTIVE}./{FILE_NAME}"
    assert shipped_text().splitlines()[1:] == (ROOT / "targets.toml").read_text(encoding="utf-8").splitlines()[1:]
