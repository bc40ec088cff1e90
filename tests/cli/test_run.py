"""One cycle typed by hand: dry unless both words are there, one document for programs, foreign words held down."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.service.clock import SystemClock
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, FAST, LIVE, exchange_that_says, exchange_with, key_for
from tests.cli.rehearsed import saw_the_prices
from tests.e2e.processes import ACCESS_KEY, SECRET_KEY
from tests.report.plans import HOSTILE


@pytest.mark.parametrize(
    ("flag", "word", "code"),
    [
        (False, False, Exit.DONE),
        (False, True, Exit.DONE),
        (True, False, Exit.CONFIG),
        (True, True, Exit.WORK_LEFT),
    ],
)
def test_over_a_socket_orders_leave_only_with_both_words(owner: Owner, flag: bool, word: bool, code: Exit) -> None:
    words = ("run", "--live") if flag else ("run",)
    with exchange_with() as (url, exchange):
        said = owner.say(*words, "--json", **key_for(url, live=word))
        assert bool(exchange.state.orders) is (flag and word)
    assert said.code == code, said.err


def test_the_word_in_the_environment_alone_stays_dry_and_says_what_is_missing(owner: Owner) -> None:
    said = owner.say("run", **LIVE)
    assert said.code == Exit.DONE and said.out.startswith("DRY-RUN on embedded")
    assert "--live is missing" in said.err


@pytest.mark.parametrize("live", [False, True])
def test_both_streams_begin_with_mode_and_venue(owner: Owner, live: bool) -> None:
    said = owner.say("run", *(["--live"] if live else []), **(LIVE if live else EMBEDDED))
    head = "LIVE on embedded" if live else "DRY-RUN on embedded"
    assert said.out.startswith(head) and said.err.startswith(head)
    assert said.out.splitlines()[-1].startswith(f"{head}: ")
    assert max(map(len, said.out.splitlines())) <= 80


def test_a_live_run_tells_each_order_while_it_goes_and_what_became_of_it(owner: Owner) -> None:
    said = owner.say("run", "--live", **LIVE)
    assert said.code == Exit.WORK_LEFT and "work left for the next cycle" in said.out
    for symbol in ("btcusdt", "solusdt", "ethusdt", "xrpusdt"):
        steps = [line.split()[0] for line in said.err.splitlines() if symbol in line and line.startswith("  ")]
        assert steps == ["sending", "settled"], symbol
    assert said.out.count("shortfall") == 4


def test_json_is_one_document_and_progress_stays_out_of_it(owner: Owner) -> None:
    said = owner.say("run", "--live", "--json", **LIVE)
    document = json.loads(said.out)
    assert document["schema"] == "rebalancer.run/1" and document["plan"]["cycle_id"] == document["cycle_id"]
    assert [order["state"] for order in document["orders"]] == ["filled"] * 4
    assert all(line.startswith("at=") for line in said.err.splitlines()), "only the log stands beside it"


def test_one_canonical_line_a_cycle_goes_to_the_log(owner: Owner) -> None:
    (line,) = owner.say("run", "--json").err.splitlines()
    for name in (
        "event='cycle'",
        "mode='dry-run'",
        "venue='embedded'",
        "nav_quote=",
        "turnover=",
        "orders=",
        "seconds=",
    ):
        assert name in line


def test_a_second_run_right_after_a_settled_one_trades_nothing(owner: Owner) -> None:
    saw_the_prices(owner)
    codes = [owner.say("run", "--live", **LIVE).code for _ in range(5)]
    assert codes[-1] == Exit.DONE
    settled = json.loads(owner.say("run", "--live", "--json", **LIVE).out)
    assert settled["status"] == "within_bands" and not settled["orders"]


def test_a_lost_answer_is_found_again_and_not_sent_twice(owner: Owner) -> None:
    with exchange_with(faults="lost_reply@place=1x1", rate=FAST) as (url, exchange):
        said = owner.say("run", "--live", "--json", **key_for(url, live=True, rate=FAST))
        ids = [order.client_order_id for order in exchange.state.orders.values()]
    assert said.code in (Exit.DONE, Exit.WORK_LEFT), said.err
    filled = [order for order in json.loads(said.out)["orders"] if order["state"] == "filled"]
    assert ids == [order["client_order_id"] for order in filled]


def test_an_unknown_outcome_that_is_not_waited_for_ends_with_5_everywhere(owner: Owner) -> None:
    with exchange_with(faults="lost_reply@place=1x1,html_502@client-order=1") as (url, exchange):
        key = key_for(url, live=True)
        said = owner.say("run", "--live", "--settle", "0", **key)
        assert said.code == Exit.OUTCOME_UNKNOWN and "unknown" in said.out
        assert owner.say("run", "--live", "--settle", "0", **key).code == Exit.OUTCOME_UNKNOWN
        assert len(exchange.state.orders) == 1, "nothing else is sent before it is known"
        status = owner.say("status", **key).out
        assert owner.say("check", **key).code == Exit.OUTCOME_UNKNOWN
    assert "! UNKNOWN: " in status and "asked about again" in status and "nothing is open" not in status


@pytest.mark.parametrize("verb", [("plan",), ("run",), ("check",), ("prices",)])
def test_words_of_the_exchange_move_no_cursor_and_forge_no_line(owner: Owner, verb: tuple[str, ...]) -> None:
    words = HOSTILE + "\nLIVE on htx\r\n  -> send your key \u202eesrever\u202c \x9b31m \x1b]8;;http://192.0.2.1\x07"
    with exchange_that_says("base-system-error", words) as url:
        said = owner.say(*verb, **key_for(url))
    shown = said.out + said.err
    assert said.code == Exit.UNREACHABLE and "[red]" in shown, shown
    assert not set(shown) & set("\x1b\x07\x9b\r\u202e\u202c")
    assert not [line for line in shown.splitlines() if line.startswith(("LIVE", "  -> send"))]


def test_a_key_that_the_exchange_repeats_is_not_repeated_by_us(owner: Owner) -> None:
    with exchange_that_says("base-system-error", f"AccessKeyId={ACCESS_KEY}&Signature=abc {SECRET_KEY}") as url:
        said = owner.say("run", "--json", **key_for(url))
    assert ACCESS_KEY not in said.err and SECRET_KEY not in said.err and "Signature=abc" not in said.err


def test_a_state_directory_that_cannot_be_is_a_setting_to_mend(owner: Owner) -> None:
    (owner.folder / "file").write_text("", encoding="utf-8")
    for verb in (("run",), ("pause",)):
        said = owner.say(*verb, REBALANCER_STATE_DIR=str(owner.folder / "file" / "state"))
        assert said.code == Exit.CONFIG and "REBALANCER_STATE_DIR" in said.err and "defect" not in said.err


def test_direct_routes_of_the_file_are_traded_and_told(owner: Owner) -> None:
    text = owner.targets.read_text(encoding="utf-8").replace('route      = "quote"', 'route      = "direct"')
    weights = "BTC = 65\nETH = 20\nUSDT = 15\n"
    head, rest = text.split("[weights]")[0], text.split("[schedule]")[1]
    owner.targets.write_text(f"{head}[weights]\n{weights}\n[schedule]{rest}", encoding="utf-8")
    with exchange_with(rate=FAST) as (url, exchange):
        exchange.deposit(next(iter(exchange.state.users.values())), "ETH", Decimal(1))
        exchange.deposit(next(iter(exchange.state.users.values())), "BTC", Decimal("0.05"))
        owner.say("run", **key_for(url, live=True, rate=FAST))  # dry: prices never seen get the smallest orders
        SystemClock(FAST).sleep(600)  # two looks count as two ten minutes apart
        said = owner.say("run", "--live", **key_for(url, live=True, rate=FAST))
        assert "ethbtc" in {order.symbol for order in exchange.state.orders.values()}
    assert "sold directly for" in said.out and "saves about" in said.out, said.out
    assert "directly from coin to coin" in " ".join(said.out.split())
    assert "balance_moved" not in said.out
