"""An owner changes the allocation: asked first, shown whole, refused with the line, and always able to go back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import EMBEDDED, exchange_with, key_for

OWN = """# my savings
version = 1
quote = "USDT"   # dollars

[weights]
# the large ones
ETH  = 40.5   # since May
BTC  = 39.5

USDT = 20     # for rainy days
"""


@pytest.fixture
def own(owner: Owner) -> Owner:
    owner.targets.write_text(OWN, encoding="utf-8")
    return owner


def previous(owner: Owner) -> Path:
    return owner.folder / "targets.toml.previous"


def answers(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Answer the questions in turn; return those that were asked."""
    asked: list[str] = []
    left = list(words)

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr("click.termui.visible_prompt_func", answer)
    return asked


def test_only_the_figures_change_and_every_comment_stays_in_its_place(own: Owner) -> None:
    assert own.say("targets", "set", "BTC=42.25", "ETH=37.75", "--yes").code == Exit.DONE
    assert own.targets.read_text(encoding="utf-8") == OWN.replace("40.5", "37.75").replace("39.5", "42.25")


def test_the_question_comes_after_the_change_and_what_it_costs(own: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, "n")
    said = own.say("targets", "set", "BTC=49.5", "ETH=30.5", **EMBEDDED)
    assert said.code == Exit.FAILURE and len(asked) == 1
    assert "+BTC  = 49.5" in said.out and "order(s) would trade" in said.out and "in fees" in " ".join(said.out.split())
    assert "nothing was changed" in said.err and not own.state.exists()
    assert own.targets.read_text(encoding="utf-8") == OWN and not previous(own).exists()


def test_nobody_at_the_keyboard_is_a_no(own: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("click.termui.visible_prompt_func", gone)
    assert own.say("targets", "set", "BTC=49.5", "ETH=30.5", "--no-preview").code == Exit.FAILURE
    assert own.targets.read_text(encoding="utf-8") == OWN


def test_the_version_before_is_always_the_last_one(own: Owner) -> None:
    own.say("targets", "set", "BTC=40", "ETH=40", "--yes", "--no-preview")
    middle = own.targets.read_text(encoding="utf-8")
    own.say("targets", "set", "BTC=41", "ETH=39", "--yes", "--no-preview")
    assert previous(own).read_text(encoding="utf-8") == middle
    shown = own.say("targets", "diff").out
    assert "-BTC  = 40" in shown and "+BTC  = 41" in shown and "39.5" not in shown


def test_diff_against_a_file_and_without_a_version_before(own: Owner) -> None:
    assert own.say("targets", "diff").code == Exit.CONFIG
    other = own.folder / "other.toml"
    other.write_text(OWN.replace("20 ", "25 "), encoding="utf-8")
    shown = own.say("targets", "diff", "--against", str(other)).out
    assert "-USDT = 25" in shown and "+USDT = 20" in shown
    assert "no difference" in own.say("targets", "diff", "--against", str(own.targets)).out
    assert own.say("targets", "diff", "--against", str(own.folder / "none.toml")).code == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("BTC=40",), Exit.CONFIG, "100.5"),
        (("BTC=39.49999999",), Exit.CONFIG, "99.99999999"),
        (("BTC=140", "ETH=-60"), Exit.CONFIG, "BTC"),
        (("SOL=5", "ETH=35.4"), Exit.CONFIG, "99.9"),
        (("BTC=40", "btc=39"), Exit.USAGE, "each asset once"),
        (("BTC=1e400",), Exit.CONFIG, "at most 100"),
        (("=5", "ETH=35.5"), Exit.USAGE, "ASSET=PERCENT"),
        (("B TC=0.5", "ETH=40"), Exit.CONFIG, "B TC"),
        (("BTC=39.5", "--leave", "NOSUCH"), Exit.CONFIG, "NOSUCH"),
        (("--leave", "USDT", "BTC=59.5"), Exit.CONFIG, "USDT"),
    ],
    ids=words_of,
)
def test_what_cannot_be_is_refused_and_no_byte_changes(
    own: Owner, words: tuple[str, ...], code: Exit, text: str
) -> None:
    said = own.say("targets", "set", *words, "--yes", "--no-preview")
    assert said.code == code, said.err
    assert text in said.err and "unexpected" not in said.err
    assert own.targets.read_text(encoding="utf-8") == OWN and not previous(own).exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("ETH=0", "USDT=60.5"), "`--exit ETH` to sell it completely"),
        (("USDT=60.5", "--exit", "ETH", "--leave", "ETH"), "choose one"),
    ],
    ids=words_of,
)
def test_what_a_weight_of_zero_means_must_be_said_where_nobody_can_be_asked(
    own: Owner, words: tuple[str, ...], text: str
) -> None:
    said = own.say("targets", "set", *words, "--yes", "--no-preview")
    assert said.code == Exit.USAGE and text in " ".join(said.err.split())
    assert own.targets.read_text(encoding="utf-8") == OWN


SOLD = OWN.replace("ETH  = 40.5   # since May\n", "").replace("20 ", "60.5 ")


@pytest.mark.parametrize(("word", "after"), [("sell", SOLD + "\n[exit]\nETH = true\n"), ("leave", SOLD)])
def test_a_weight_of_zero_is_a_question(own: Owner, monkeypatch: pytest.MonkeyPatch, word: str, after: str) -> None:
    asked = answers(monkeypatch, word, "y")
    assert own.say("targets", "set", "ETH=0", "USDT=60.5", "--no-preview").code == Exit.DONE
    assert "sell it completely, or leave it alone?" in asked[0]
    assert own.targets.read_text(encoding="utf-8") == after
    shown = json.loads(own.say("targets", "show", "--json").out)
    assert shown.get("exit") == ({"ETH": True} if word == "sell" else None)


def test_a_coin_to_sell_is_named_below_the_header_that_is_there(own: Owner) -> None:
    shipped = own.targets.parent / "targets.toml"
    head = OWN + "\n[exit]   # gone for good\nDOGE = true\n[keep]\nBTC = 0.1\n"
    shipped.write_text(head, encoding="utf-8")
    assert own.say("targets", "set", "USDT=60.5", "--exit", "ETH", "--yes", "--no-preview").code == Exit.DONE
    text = own.targets.read_text(encoding="utf-8")
    assert "[exit]   # gone for good\nETH = true\nDOGE = true\n[keep]" in text
    assert "BTC                     0.1" in own.say("targets", "show").out


def test_json_is_one_document_with_the_plan_it_would_cause(own: Owner) -> None:
    said = own.say("targets", "set", "BTC=49.5", "ETH=30.5", "--yes", "--json", **EMBEDDED)
    document = json.loads(said.out)
    assert document["weights"] == {"ETH": "30.5", "BTC": "49.5", "USDT": "20"}
    assert document["preview"]["trigger"] == "targets_changed" and document["preview"]["legs"]
    assert document["previous"] == str(previous(own))
    again = json.loads(own.say("targets", "set", "BTC=49.5", "--yes", "--json").out)
    assert again["previous"] is None, "nothing changed, and it is a document still"


def test_a_preview_that_cannot_be_had_is_said_and_the_owner_may_go_on(own: Owner) -> None:
    with exchange_with() as (url, _):
        pass
    said = own.say("targets", "set", "BTC=49.5", "ETH=30.5", "--yes", **key_for(url))
    assert said.code == Exit.DONE and "no preview" in said.err and "+BTC  = 49.5" in said.out
    assert "BTC  = 49.5" in own.targets.read_text(encoding="utf-8")


def test_a_preview_sends_nothing_and_writes_nothing(own: Owner) -> None:
    with exchange_with() as (url, exchange):
        own.say("targets", "set", "BTC=49.5", "ETH=30.5", "--yes", **key_for(url, live=True))
        assert not exchange.state.orders
    assert {path.name for path in own.state.iterdir()} == {"targets.changes", "targets.versions"}, "who and what alone"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (OWN.replace("39.5", "38.5"), "targets.toml:5", "99"),
        (OWN.replace("39.5", '"39.5"'), "targets.toml:8", "weights.BTC"),
        (OWN.replace("quote = ", "qoute = "), "targets.toml:3", "did you mean quote"),
        (OWN + "[limits]\nmax_turnover_per_cicle = 5\n", "targets.toml:12", "max_turnover_per_cycle"),
        (OWN + "BTC = 1\n", "targets.toml", "BTC"),
        ("", "targets.toml", "version"),
        (OWN.replace("version = 1", "version = 2"), "targets.toml:2", "version"),
        ("\x00", "targets.toml", ""),
    ],
)
@pytest.mark.parametrize("verb", [("plan",), ("run",), ("targets", "check"), ("check",)], ids=words_of)
def test_a_bad_file_is_78_with_file_and_line_whoever_reads_it(
    own: Owner, verb: tuple[str, ...], text: str, place: str, words: str
) -> None:
    own.targets.write_text(text, encoding="utf-8")
    said = own.say(*verb)
    heard = " ".join((said.err + said.out).split())
    assert said.code == Exit.CONFIG and place in heard and words in heard
    assert "unexpected" not in heard and not (own.state / "embedded").exists()


def test_locked_coins_stay_and_the_others_share_the_rest(own: Owner) -> None:
    said = own.say("targets", "set", "BTC=45", "--lock", "USDT", "--yes", "--no-preview")
    assert said.code == Exit.DONE, said.err
    assert own.targets.read_text(encoding="utf-8") == OWN.replace("40.5", "35").replace("39.5", "45")
    said = own.say("targets", "set", "BTC=40", "--share", "--yes", "--no-preview")
    assert said.code == Exit.DONE
    shared = OWN.replace("40.5", "38.18").replace("39.5", "40").replace("USDT = 20 ", "USDT = 21.82 ")
    assert own.targets.read_text(encoding="utf-8") == shared


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("BTC=45", "--lock", "ETC"), "ETC: has no weight that could be locked (did you mean ETH?)"),
        (("BTC=45", "--lock", "btc"), "BTC: is locked and changed in the same command"),
        (("BTC=45", "--lock", "ETH", "--lock", "USDT"), "no coin is left to take the rest"),
        (("BTC=60", "--lock", "ETH"), "-0.5 percent would be left for USDT"),
        (("BTC=59", "--lock", "ETH"), "0.5 is below 2 percent: cash pays for fees"),
    ],
)
def test_a_rest_that_cannot_be_shared_is_refused_with_the_reason(own: Owner, words: tuple[str, ...], told: str) -> None:
    before = own.targets.read_bytes()
    said = own.say("targets", "set", *words, "--yes", "--no-preview")
    assert said.code == Exit.CONFIG and told in said.err
    assert own.targets.read_bytes() == before


def test_a_change_above_the_daily_cap_says_over_how_many_days_it_is_spread_and_what_it_costs(owner: Owner) -> None:
    said = owner.say("targets", "set", "BTC=3", "ETH=60", "--share", "--yes", **EMBEDDED)
    shown = " ".join(said.out.split())
    days = re.search(r"to these targets: a turnover of [^;]* USDT in fees, spread over about (\d) days", shown)
    assert days and int(days[1]) > 1, shown
    assert "(10 % a cycle, 25 % a day, orders of 5000 USDT a day)" in shown
    document = json.loads(owner.say("targets", "set", "BTC=4", "ETH=59", "--yes", "--json", **EMBEDDED).out)
    assert document["spread"]["days"] > 1 and float(document["spread"]["turnover"]) > 0.25
