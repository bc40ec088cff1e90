"""What a plan and a change of targets quote: the last back-test of the same policy, or else the bundled estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.report.frontier import bps, points_of
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED
from tests.cli.test_backtest import prices, run

BUNDLED = "(estimate, bundled calibration)"


def tag(owner: Owner) -> str:
    """Return what stands below the plan, as one line."""
    shown = owner.say("plan", **EMBEDDED).out
    assert max(map(len, shown.splitlines())) <= 80
    return " ".join(shown[shown.index("Price tag") :].split())


def test_a_plan_quotes_the_bundled_calibration_until_there_is_a_back_test(owner: Owner) -> None:
    assert tag(owner).endswith(f"{BUNDLED}.") and "calm market" in tag(owner)
    document = json.loads(run(owner, "--json").out)
    figures = document["policies"][0]
    said = tag(owner)
    assert (
        f"about {bps(figures['cost_percent_year'] * 100)} bp of NAV a year, strays about {points_of(figures['rms_pp'])} points ("
        in said
    )
    assert "(estimate, back-test of " in said and said.endswith(" over 119 days).")


def test_another_policy_or_fee_is_not_quoted_by_that_back_test(owner: Owner) -> None:
    run(owner, "--fee", "0.1")
    assert tag(owner).endswith(f"{BUNDLED}."), "the exchange's fee is 0.2 percent"
    run(owner)
    assert BUNDLED not in tag(owner)
    text = owner.targets.read_text(encoding="utf-8")
    owner.targets.write_text(text.replace("k           = 0.12", "k           = 0.2"), encoding="utf-8")
    assert tag(owner).endswith(f"{BUNDLED}.")
    owner.targets.write_text(text, encoding="utf-8")
    assert BUNDLED not in tag(owner), "and it is still there"


def test_a_back_test_of_other_policies_alone_quotes_nothing(owner: Owner) -> None:
    run(owner, "--policies", "threshold,never")
    assert tag(owner).endswith(f"{BUNDLED}.") and not owner.state.exists()


@pytest.mark.parametrize("form", ["json", "csv", "md", "html"])
def test_the_other_forms_of_a_plan_stay_as_they_are(owner: Owner, form: str) -> None:
    assert "bundled calibration" not in owner.say("plan", "--format", form, **EMBEDDED).out


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 2}', '{"version": 1, "results": []}', "\x00\xff", None], ids=repr
)
def test_a_damaged_file_of_results_is_no_reason_to_fail(owner: Owner, text: str | None) -> None:
    run(owner)
    kept = kept_file(owner)
    if text is None:  # entries of another hand
        document = json.loads(kept.read_text(encoding="utf-8"))
        document["results"] = {key: {"made_at": "soon"} for key in document["results"]}
        text = json.dumps(document)
    kept.write_text(text, encoding="latin-1")
    assert tag(owner).endswith(f"{BUNDLED}.")
    run(owner)
    assert BUNDLED not in tag(owner)


def kept_file(owner: Owner) -> Path:
    return owner.state / "backtests" / "embedded.json"


def test_a_report_is_shown_also_where_nothing_can_be_kept(owner: Owner) -> None:
    owner.state.write_text("a file where the folder should be", encoding="utf-8")
    said = run(owner, "--json")
    assert said.code == Exit.DONE and json.loads(said.out)["policies"]
    assert "not kept for the price tags" in said.err and str(owner.state) in said.err


def test_only_the_newest_results_are_kept(owner: Owner) -> None:
    for fee in range(1, 4):
        run(owner, "--fee", f"0.{fee}", "--policies", "bands")
    document = json.loads(kept_file(owner).read_text(encoding="utf-8"))
    assert len(document["results"]) == 3
    document["results"] = {f"{number}": {} for number in range(60)} | document["results"]
    kept_file(owner).write_text(json.dumps(document), encoding="utf-8")
    run(owner, "--fee", "0.4", "--policies", "bands")
    results = json.loads(kept_file(owner).read_text(encoding="utf-8"))["results"]
    assert len(results) == 50 and BUNDLED not in tag(owner), "the older of these three are among them"


def test_results_over_made_up_prices_are_not_quoted_for_the_real_exchange(owner: Owner) -> None:
    run(owner)
    names = [path.name for path in (owner.state / "backtests").iterdir()]
    owner.say("backtest", "run", "--prices", str(prices(owner)), "--policies", "bands")  # no venue set: htx's prices
    assert names == ["embedded.json"] and (owner.state / "backtests" / "htx.json").exists()


def change(owner: Owner, *words: str) -> dict[str, Any]:
    said = owner.say("targets", "set", "BTC=30", "ETH=30", "--yes", "--json", *words, **EMBEDDED)
    assert said.code == Exit.DONE, said.err
    document = json.loads(said.out)
    assert isinstance(document, dict)
    return document


def test_a_change_of_targets_quotes_the_new_policy(owner: Owner) -> None:
    run(owner)
    price = change(owner)["price_tag"]
    assert price["source"] == "estimate, bundled calibration", "of these weights there is no back-test"
    assert price["cost_low_bps"] < price["cost_bps_year"] < price["cost_high_bps"] and price["stray_pp"] > 0


def test_without_a_preview_there_is_no_price_tag(owner: Owner) -> None:
    assert change(owner, "--no-preview")["price_tag"] is None


def test_the_preview_says_it_in_words(owner: Owner) -> None:
    said = owner.say("targets", "set", "BTC=30", "ETH=30", "--yes", **EMBEDDED)
    assert BUNDLED in " ".join(said.out.split())
