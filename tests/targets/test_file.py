"""`targets.toml`: what is in order becomes targets, anything else a ConfigError with line, value, limit and next step."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rebalancer.core.targets import BandPolicy, BandRule, Limits, Route, Schedule
from rebalancer.errors import ConfigError
from rebalancer.targets.file import load_targets, parse_bytes, parse_targets
from rebalancer.targets.keys import SETTINGS, TOP
from rebalancer.targets.toml_text import BYTES_MAX, LINE_MAX
from tests.targets.files import GOOD, UNTIMED, Written, problems, written

ROOT = Path(__file__).parents[2]

WEIGHTS = GOOD[GOOD.index("[weights]") :]

# A change of the good file, the line it is refused at, and words of the refusal: value, limit, next step.
REFUSED: dict[str, tuple[str, str, int, tuple[str, ...]]] = {
    "misspelt key": ("", "[limits]\nmax_order_per_day = 3", 9, ("limits.max_order_per_day", "did you mean max_orders_per_day?")),
    "unknown key": ("", "[bands]\nzzz = 3", 9, ("bands.zzz: unknown key; known here: rule, k, floor",)),
    "unknown section": ("", "[schedul]", 8, ("schedul: unknown key (did you mean schedule?)",)),
    "exit that is no truth": ("", "[exit]\nDOGE = 1", 9, ("exit.DOGE: 1 should be true", "take the line out to leave it alone")),
    "exit that is false": ("", "[exit]\nDOGE = false", 9, ("exit.DOGE: false should be true",)),
    "exit of a coin with a weight": ("", "[exit]\nETH = true", 9, ("exit.ETH: has a weight of 25.5 too", "take one of the two lines out")),
    "exit of the cash": ("", "[exit]\nUSDT = true", 9, ("exit.USDT: USDT is the cash",)),
    "exit in small letters": ("", "[exit]\ndoge = true", 9, ("exit.doge: an asset is capital letters",)),
    "kept coin that is not listed": ("", "[keep]\nDOGE = 1", 9, ("keep.DOGE: is not in [weights] or [exit]", "a coin that is not listed is never touched")),
    "kept nothing": ("", "[keep]\nBTC = 0", 9, ("keep.BTC: 0 says nothing; take the line out",)),
    "kept less than nothing": ("", "[keep]\nBTC = -1", 9, ("keep.BTC: -1 is outside 0 to",)),
    "kept amount as text": ("", '[keep]\nBTC = "1"', 9, ('keep.BTC: "1" should be a bare number',)),
    "kept amount too fine": ("", "[keep]\nBTC = 1e-19", 9, ("has more than 18 decimals",)),
    "external coin that is not listed": ("", "[external]\nBTD = 1", 9, ("external.BTD: is not in [weights] (did you mean BTC?)",)),
    "external coin that leaves": ("", "[exit]\nDOGE = true\n[external]\nDOGE = 1", 11, ("external.DOGE: is not in [weights]",)),
    "cool-down of days": ("", "[limits]\ncooldown_h = 49", 9, ("limits.cooldown_h: 49 is outside 0 to 48 hours",)),
    "cool-down before the trade": ("", "[limits]\ncooldown_h = -1", 9, ("-1 is outside 0 to 48 hours",)),
    "band of a coin that is not listed": ("", "[bands.per_coin]\nBTD = 4", 9, ("bands.per_coin.BTD: is not in [weights] (did you mean BTC?)",)),
    "band of a coin that leaves": ("", "[exit]\nDOGE = true\n[bands.per_coin]\nDOGE = 4", 11, ("bands.per_coin.DOGE: is not in [weights]",)),
    "band of a coin as text": ("", '[bands.per_coin]\nBTC = "4"', 9, ('"4" should be a bare number, 0.1 to 50 points',)),
    "band of a coin too wide": ("", "[bands.per_coin]\nBTC = 51", 9, ("51 should be a bare number, 0.1 to 50 points",)),
    "bands by coin, no section": ("", "[bands]\nper_coin = 0", 9, ("bands.per_coin: should be a section",)),
    "collar wider than HTX takes": (
        "", '[orders]\norder_type = "ioc"\n[limits]\nmax_slippage_bps = 801', 11,
        ("limits.max_slippage_bps: 801 is above 800 basis points, the most for order_type", "far from the last trade"),
    ),
    "misspelt word": ("", '[bands]\nrule = "teory"', 9, ('"teory" should be one of theory', "did you mean theory?")),
    "word that is a list": ("", "[bands]\nrule = []", 9, ("bands.rule: a list should be one of theory",)),
    "section that is a number": ('quote = "USDT"', 'quote = "USDT"\nlimits = 5', 3, ("limits: should be a section [limits]",)),
    "section that is a list": ("", "[[weights2]]\n[[exit]]\n", 1, ("exit: should be a section [exit]",)),
    "sum below": ("14.5", "14.4", 4, ("weights sum to 99.9, must be 100", 'give the missing 0.1 to a coin or to "USDT"')),
    "sum above": ("14.5", "14.6", 4, ("weights sum to 100.1, must be 100; take 0.1 from a coin",)),
    "sum a hair above": ("14.5", "14.500000000000000001", 4, ("weights sum to 100.000000000000000001, must be 100",)),
    "finer than is summed": ("14.5", "14.5000000000000000001", 7, ("has more than 18 decimals; round it",)),
    "weight as text": ("60", '"60"', 5, ('weights.BTC: "60" should be a bare number', "write BTC = 35")),
    "weight with a percent sign": ("60", '"60 %"', 5, ('"60 %" should be a bare number of percent; write BTC = 35, not "35 %"',)),
    "bare percent sign": ("60", "60 %", 5, ('write a bare number, without "%": BTC = 60 %',)),
    "NaN": ("60", "nan", 5, ("weights.BTC: NaN should be a bare number",)),
    "infinity": ("60", "inf", 5, ("weights.BTC: Infinity should be a bare number",)),
    "huge": ("60", "1e400", 5, ("1E+400 is outside 0 to 100 percent",)),
    "exponent beyond any Decimal": ("60", "1e9999999999999999999", 5, ("NaN should be a bare number",)),
    "integer too long to print": ("60", "0x" + "f" * 1900, 5, ("an integer of 7600 bits is outside",)) ,
    "date": ("60", "2026-01-01", 5, ("2026-01-01 should be a bare number",)),
    "truth": ("60", "true", 5, ("true should be a bare number",)),
    "negative": ("60", "-60", 5, ("-60 is outside 0 to 100 percent",)),
    "zero": ("60", "0", 5, ("a weight of 0 is refused", "with COIN = true in [exit]", "take the line out to leave it alone")),
    "zero with an exponent": ("60", "0e-99999", 5, ("a weight of 0 is refused",)),
    "lower-case asset": ("BTC", "btc", 5, ("weights.btc: an asset is capital letters and digits; write BTC",)),
    "asset with control characters": ("BTC", r'"a\nb[31m"', 4, (r"weights.a\nb[31m: an asset is",)),
    "no weights": (WEIGHTS, "", 1, ("weights: is missing: list each coin with its percent",)),
    "one weight": (WEIGHTS, "[weights]\nUSDT = 100\n", 4, ("needs the quote coin and at least one other",)),
    "duplicate key": ("ETH = 25.5", "ETH = 25.5\nBTC = 1", 7, ("weights.BTC stands twice, first on line 5; keep one",)),
    "duplicate section": ("", "[weights]\nSOL = 1", 8, ("weights stands twice, first on line 4; keep one of them",)),
    "duplicate key in quotes": ("", '"BTC" = 1', 8, ("weights.BTC stands twice, first on line 5",)),
    "no version": ("version = 1\n", "", 1, ("version: is missing; write version = 1 as the first line",)),
    "future version": ("version = 1", "version = 2", 1, ("version: 2 is not known; this program reads version = 1",)),
    "version as a fraction": ("version = 1", "version = 1.0", 1, ("version: 1.0 is not known",)),
    "version as truth": ("version = 1", "version = true", 1, ("version: true is not known",)),
    "nested without end": ("version = 1", "version" + ".a" * 900 + " = 1", 1, ("version: a section is not known",)),
    "nested deeply": ("version = 1", "version = [" + "[\n" * 5000 + "]" * 1500, 1, ("nested too deeply",)),
    "no quote": ('quote = "USDT"', "", 1, ('quote: is missing: should be the cash coin, such as "USDT"',)),
    "quote in small letters": ("USDT", "usdt", 2, ('"usdt" should be the cash coin',)),
    "quote not among the weights": ('"USDT"', '"USDC"', 2, ("USDC must be listed in [weights] too, with at least 2 percent",)),
    "too little cash": ("60\nETH = 25.5\nUSDT = 14.5", "60\nETH = 38.5\nUSDT = 1.5", 7, ("1.5 is below 2 percent: cash pays for fees",)),
    "code of no target": ("", '[codes]\nBTD = "b"', 9, ("codes.BTD: is not in [weights] or [exit] (did you mean BTC?)",)),
    "code in capitals": ("", '[codes]\nBTC = "XBT"', 9, ('"XBT" should be HTX\'s code in small letters',)),
    "code that is another coin's": ("", '[codes]\nBTC = "eth"', 9, ('"eth" already stands for another asset',)),
    "code given twice": ("", '[codes]\nBTC = "x"\nETH = "x"', 10, ('"x" already stands for another asset',)),
    "cron that never fires": ("", '[schedule]\ncron = "0 0 31 4 *"', 9, ('"0 0 31 4 *"', 'write five fields such as "7 * * * *"')),
    "cron of six fields": ("", '[schedule]\ncron = "0 7 * * * *"', 9, ("is not a cron expression of five fields",)),
    "cron as a name": ("", '[schedule]\ncron = "@daily"', 9, ("five fields",)),
    "cron out of range": ("", '[schedule]\ncron = "61 * * * *"', 9, ("Bad minute",)),
    "unknown time zone": ("", '[schedule]\ntimezone = "Mars/Phobos"', 9, ('"Mars/Phobos" is not a time zone such as "UTC"',)),
    "time zone as a path": ("", '[schedule]\ntimezone = "../../etc/passwd"', 9, ("is not a time zone",)),
    "half a second of jitter": ("", "[schedule]\njitter_s = 1.5", 9, ("1.5 should be a whole number of seconds",)),
    "half an order": ("", "[limits]\nmax_orders_per_day = 1.5", 9, ("1.5 should be a whole number of orders",)),
    "number out of range": ("", "[limits]\nmax_slippage_bps = 0", 9, ("0 is outside 1 to 1000 basis points",)),
    "k of another rule": ("", '[bands]\nrule = "relative"\nk = 0.12', 10, ("0.12 is outside 1 to 100 percent of the target",)),
    "number too fine to print": ("", "[bands]\ndestination = 1e-99999", 9, ("1E-99999 has more than 18 decimals",)),
    "floor above cap": ("", "[bands]\nfloor = 5\ncap = 4", 9, ("floor 5 is above cap 4",)),
    "cycle cap above day cap": ("", "[limits]\nmax_turnover_per_cycle = 30", 9, ("30 is above max_turnover_per_day = 25",)),
    "half-written value": ("14.5\n", "", 7, ("the file ends too early, finish or restore it",)),
    "half-written text": ("", 'x = """', 8, ("not valid TOML", "too early")),
    "empty": (GOOD, "", 1, ("version: is missing",)),
    "byte order mark": ("version", "\ufeffversion", 1, ("byte order mark; save the file as UTF-8 without one",)),
    "old line ends": (GOOD, GOOD.replace("\n", "\r"), 1, ("not valid TOML",)),
    "line without end": ("60", "60 #" + "x" * LINE_MAX, 5, (f"characters, over {LINE_MAX}; break the line",)),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "words"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_refused_with_its_line_value_limit_and_next_step(
    old: str, new: str, line: int, words: tuple[str, ...]
) -> None:
    found = problems(GOOD.replace(old, new, 1) if old else f"{GOOD}{new}\n")
    mine = [each for each in found if words[0] in each]
    assert mine, found
    assert mine[0].startswith(f"{line}: "), mine
    assert all(word in mine[0] for word in words), mine


def test_the_committed_file_is_in_order_and_shows_the_defaults() -> None:
    made = load_targets(ROOT / "targets.toml")
    shown = {"max_notional_per_day": Decimal(5000), "max_order_notional": Decimal(1000)}
    assert (made.schedule, made.bands, made.limits) == (Schedule(), BandPolicy(), Limits(**shown))
    assert dict(made.weights) == {"BTC": 35, "ETH": 25, "SOL": 10, "XRP": 10, "LINK": 5, "USDT": 15}
    assert (made.quote, made.codes) == ("USDT", {})


def test_what_is_decided_about_single_coins_is_read_with_every_digit() -> None:
    made = parse_targets(
        GOOD.replace("[weights]", "[weights]\nDOGE = 0")
        + "[exit]\nDOGE = true\nSHIB = true\n[keep]\nBTC = 0.500000000000000001\nDOGE = 7\nUSDT = 100\n"
        + '[external]\nETH = 1.2\n[codes]\nSHIB = "shib2"\n[bands.per_coin]\nBTC = 4\n[limits]\ncooldown_h = 0.5\n',
        "f",
    )
    assert (made.leaving, made.assets) == (("DOGE", "SHIB"), ("BTC", "ETH", "USDT", "DOGE", "SHIB"))
    assert made.kept == {"BTC": Decimal("0.500000000000000001"), "DOGE": 7, "USDT": 100}
    assert (made.external, made.bands.per_coin) == ({"ETH": Decimal("1.2")}, {"BTC": 4})
    assert (made.limits.cooldown_h, made.codes) == (Decimal("0.5"), {"SHIB": "shib2"})
    assert (made.fraction("DOGE"), sum(made.weights.values())) == (0, 100)


def test_every_setting_of_the_targets_can_be_written_in_the_file() -> None:
    for name, made in (("schedule", Schedule), ("bands", BandPolicy), ("limits", Limits)):
        assert {field.name for field in fields(made)} <= set(SETTINGS[name])
        assert name in TOP


@pytest.mark.parametrize(("rule", "k"), [("theory", "0.12"), ("relative", "20"), ("absolute", "5"), ("clamp", "20")])
def test_each_rule_has_a_default_of_its_own_unit(rule: str, k: str) -> None:
    bands = parse_targets(f'{GOOD}[bands]\nrule = "{rule}"\n', "f").bands
    assert bands == BandPolicy(rule=BandRule(rule), k=Decimal(k))


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        GOOD.replace("60", "-1").replace("ETH", "eth") + "[limits]\nmax_slippage_bps = 0\nx = 1\n[bandz]\n"
    )
    assert [line.partition(" ")[0] for line in found] == ["5:", "6:", "9:", "10:", "11:"]


def test_line_ends_of_windows_are_read_and_lines_counted_alike() -> None:
    assert parse_targets(GOOD.replace("\n", "\r\n"), "f").weights == parse_targets(GOOD, "f").weights
    assert problems(GOOD.replace("60", "-1").replace("\n", "\r\n"))[0].startswith("5: ")


def test_a_comment_that_holds_other_line_separators_does_not_move_the_lines() -> None:
    assert problems("# \u2028 \x85 \u2029\n" + GOOD.replace("60", "-1"))[0].startswith("6: ")


def test_weights_written_as_dotted_keys_or_inline_are_read_alike() -> None:
    head = 'version = 1\nquote = "USDT"\n'
    inline = parse_targets(head + "weights = { BTC = 60, USDT = 40 }\n", "f")
    dotted = parse_targets(head + "weights.BTC = 60\nweights.USDT = 40\n", "f")
    assert inline == dotted
    assert problems(head + "weights.BTC = 60\nweights.USDT = -40\n")[0].startswith("4: weights.USDT")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (GOOD.encode() + b"#\xff", ":8: not UTF-8 text; save the file as UTF-8"),
        (GOOD.encode("utf-16"), ":1: not UTF-8 text; save the file as UTF-8"),
        (bytes(range(256)), ":2: not UTF-8 text"),
        (b"\x7fELF\x02\x01\x01\x00", ":1: not valid TOML"),
        (b"#" * (BYTES_MAX + 1), f": larger than {BYTES_MAX} bytes; is this the right file?"),
    ],
    ids=["stray byte", "UTF-16", "every byte", "binary", "too large"],
)  # fmt: skip
def test_a_file_that_is_no_text_of_ours_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "targets.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load_targets(path)
    assert str(caught.value).startswith(f"{path}{words}")


def test_what_cannot_be_read_says_why_and_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory; check the path, its owner and its mode"):
        load_targets(tmp_path)
    with pytest.raises(ConfigError, match="there is no such file; set REBALANCER_TARGETS or write one"):
        load_targets(tmp_path / "none.toml")


def require_sound_or_refused(raw: bytes) -> None:
    try:
        made = parse_bytes(raw, "targets.toml")
    except ConfigError as exc:
        lines = str(exc).splitlines()
        assert lines
        assert all(line.isprintable() and line.startswith("targets.toml:") for line in lines), lines
    else:
        assert sum(Fraction(weight) for weight in made.weights.values()) == 100
        assert sum(made.weights.values()) == 100
        assert all(weight > 0 for weight in made.weights.values())


@UNTIMED
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_sound(raw: bytes) -> None:
    require_sound_or_refused(raw)


NUMBERS = st.one_of(
    st.integers(-5, 105).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(lambda value: str(value).lower().removeprefix("s")),
    st.sampled_from(["1e9999999999999999999", "-0.0", "0x23", "0b1", "1_0", "60", "14.5", "1e-60", "nan", "-inf"]),
)
VALUES = st.recursive(
    st.one_of(
        NUMBERS, st.text(max_size=8).map(repr), st.sampled_from(["true", "2026-01-01", "07:00:00", '"UTC"', '""'])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]"),
        inner.map(lambda value: f"{{ BTC = {value} }}"),
    ),
    max_leaves=3,
)
NAMES = st.sampled_from(
    [*TOP, *(key for keys in SETTINGS.values() for key in keys), "BTC", "USDT", "eth", '"a b"', "a.b"]
)
LINES = st.one_of(
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("[{}]".format, NAMES),
    st.builds('cron = "{}"'.format, st.text("0123456789*/,-#LWMON? ", min_size=9, max_size=14)),
    st.builds('timezone = "{}"'.format, st.text("/.UTCEtcGMT+-0 ", max_size=8)),
)


@UNTIMED
@given(st.lists(LINES, max_size=8), st.booleans())
@example(["[bands]", "rule = []"], True)  # a recorded case
@example(["[codes]", "BTC = [[], {}]"], True)
def test_random_documents_are_refused_or_sound(lines: list[str], after_good: bool) -> None:
    require_sound_or_refused(((GOOD if after_good else "") + "\n".join(lines)).encode())


@UNTIMED
@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH", "SOL"]), NUMBERS), min_size=1, max_size=3), NUMBERS)
def test_random_weights_are_refused_or_sum_to_exactly_100(coins: list[tuple[str, str]], cash: str) -> None:
    rows = "\n".join(f"{coin} = {figure}" for coin, figure in coins)
    require_sound_or_refused(f'version = 1\nquote = "USDT"\n[weights]\n{rows}\nUSDT = {cash}\n'.encode())


@UNTIMED
@given(written())
def test_a_file_of_any_taste_is_read_with_its_weights_in_its_order(file: Written) -> None:
    made = parse_targets(file.text, "f")
    assert list(made.weights.items()) == list(file.weights.items())


@pytest.mark.parametrize("route", Route)
def test_either_route_may_be_chosen(route: Route) -> None:
    assert parse_targets(f'{GOOD}\n[orders]\nroute = "{route}"\n', "f").orders.route is route
