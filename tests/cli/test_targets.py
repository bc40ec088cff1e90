"""Reading and editing the allocation from the terminal: shown first, kept whole, never half-way."""

from __future__ import annotations

import json

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.targets.schema import schema_text
from tests.cli.conftest import Owner
from tests.cli.rehearsed import saw_the_prices


def test_show_names_every_setting_in_force(owner: Owner) -> None:
    shown = owner.say("targets", "show").out
    assert "BTC" in shown and "35 %" in shown and "max_slippage_bps" in shown and "cash" in shown
    document = json.loads(owner.say("targets", "show", "--json").out)
    assert document["orders"] == {"order_type": "market", "route": "quote"} and "order_type" in shown
    assert document["weights"]["USDT"] == "15" and document["limits"]["max_order_notional"] == "1000"


def test_check_tells_every_problem_with_its_line(owner: Owner) -> None:
    assert "in order" in owner.say("targets", "check").out
    owner.targets.write_text(
        owner.targets.read_text(encoding="utf-8").replace("BTC  = 35", 'BTC  = "35 %"').replace("[bands]", "[band]"),
        encoding="utf-8",
    )
    said = owner.say("targets", "check")
    assert said.code == Exit.CONFIG
    assert "weights.BTC" in said.err and "did you mean bands" in said.err and ":9:" in said.err
    problems = json.loads(owner.say("targets", "check", "--json").out)["problems"]
    assert len(problems) >= 2


def test_set_shows_diff_and_trades_keeps_comments_and_the_version_before(owner: Owner) -> None:
    before = owner.targets.read_text(encoding="utf-8")
    said = owner.say("targets", "set", "BTC=40", "USDT=10", "--yes")
    after = owner.targets.read_text(encoding="utf-8")
    assert said.code == Exit.DONE
    assert "-BTC  = 35" in said.out and "+BTC  = 40" in said.out and "order(s) would trade" in said.out
    assert after == before.replace("BTC  = 35", "BTC  = 40").replace("USDT = 15", "USDT = 10")
    assert (owner.folder / "targets.toml.previous").read_text(encoding="utf-8") == before
    assert "+BTC  = 40" in owner.say("targets", "diff").out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("BTC=41", "USDT=10"), Exit.CONFIG, "sum to 101"),
        (("BTC=lots",), Exit.USAGE, "ASSET=PERCENT"),
        (("BTC=0", "USDT=50", "--yes"), Exit.USAGE, "--leave BTC"),
        (("BTC=NaN",), Exit.USAGE, "ASSET=PERCENT"),
        ((), Exit.USAGE, "at least one"),
        (("BTC=40", "USDT=10", "--json"), Exit.USAGE, "--yes"),
    ],
)
def test_set_refuses_what_cannot_be_and_changes_nothing(
    owner: Owner, words: tuple[str, ...], code: Exit, text: str
) -> None:
    before = owner.targets.read_bytes()
    said = owner.say("targets", "set", *words)
    assert said.code == code and text in said.err
    assert owner.targets.read_bytes() == before and not (owner.folder / "targets.toml.previous").exists()


def test_set_asks_and_no_is_no(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    before = owner.targets.read_bytes()
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "n")
    said = owner.say("targets", "set", "BTC=40", "USDT=10", "--no-preview")
    assert said.code == Exit.FAILURE and owner.targets.read_bytes() == before
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "y")
    assert owner.say("targets", "set", "BTC=40", "USDT=10", "--no-preview").code == Exit.DONE
    assert b"BTC  = 40" in owner.targets.read_bytes()


def test_leaving_a_coin_takes_its_line_out(owner: Owner) -> None:
    assert owner.say("targets", "set", "BTC=45", "--leave", "SOL", "--yes", "--no-preview").code == Exit.DONE
    text = owner.targets.read_text(encoding="utf-8")
    assert "SOL" not in text.split("[schedule]")[0] and "BTC  = 45" in text


def test_a_bad_file_is_not_edited(owner: Owner) -> None:
    owner.targets.write_text("version = 1\n[weights]\nBTC = 99.9\n", encoding="utf-8")
    said = owner.say("targets", "set", "BTC=40", "--yes")
    assert said.code == Exit.CONFIG and "targets.toml:" in said.err


def test_changed_targets_are_served_at_the_next_run(owner: Owner) -> None:
    live = {"REBALANCER_VENUE": "embedded", "REBALANCER_MODE": "live"}
    saw_the_prices(owner)
    for _ in range(4):
        settled = json.loads(owner.say("run", "--live", "--json", **live).out)
    assert settled["status"] == "within_bands"
    owner.say("targets", "set", "LINK=10", "BTC=30", "--yes", **live)
    document = json.loads(owner.say("run", "--live", "--json", **live).out)
    assert document["plan"]["trigger"] == "targets_changed"


def test_the_schema_is_printed_or_written(owner: Owner) -> None:
    assert json.loads(owner.say("targets", "schema").out)["$schema"].endswith("2020-12/schema")
    assert owner.say("assets", "targets.schema.json").out == schema_text()
    said = owner.say("targets", "schema", "--output", str(owner.folder / "mine.json"))
    assert said.code == Exit.DONE and (owner.folder / "mine.json").read_text() == schema_text()
