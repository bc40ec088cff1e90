"""`replay`: every recorded plan is made again from the journal alone, and a difference is shown and ends with 1."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.core.inputs import plan_of, read_inputs
from rebalancer.core.plan_json import plan_document
from rebalancer.core.plan_read import read_header
from rebalancer.core.targets import OrderPolicy, OrderType, Route
from rebalancer.errors import RebalancerError
from rebalancer.journal.queries import recorded_run
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.report.replay import differences
from rebalancer.service.clock import SystemClock
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE
from tests.journal.sealing import forged, rewrite
from tests.service.house import House
from tests.service.rehearsal import RUN as REHEARSAL


def replayed(house: House) -> tuple[int, list[str]]:
    """Make every plan of a journal again; return how many, and every difference."""
    found, count = [], 0
    for row in house.journal.rows(kinds=(Kind.PLAN,)):
        if row.run_id == REHEARSAL:
            continue
        run = recorded_run(house.journal, row.run_id)
        assert run is not None and run.plan is not None and run.snapshot is not None
        inputs, header = read_inputs(run.snapshot), read_header(run.plan)
        assert inputs is not None
        again = plan_document(plan_of(inputs, live=header.mode == "live", name=header.cycle_id), header)
        found += [f"{header.cycle_id} {each}" for each in differences(run.plan, again)]
        count += 1
    return count, found


ORDERS = {
    "market": OrderPolicy(),
    "ioc": OrderPolicy(OrderType.IOC),
    "direct": OrderPolicy(route=Route.DIRECT),
}


@pytest.mark.parametrize("mode", ["live", "dry-run"])
@pytest.mark.parametrize("orders", ORDERS)
def test_every_plan_of_a_whole_life_is_made_again_to_the_last_digit(tmp_path: Path, orders: str, mode: str) -> None:
    house = House(tmp_path, mode=mode)
    house.targets = replace(house.targets, orders=ORDERS[orders])
    for turn in range(14):
        if turn == 2:
            house.exchange.deposit(house.user, "BTC", Decimal("0.3"))
        if turn == 4:
            house.exchange.deposit(house.user, "USDT", Decimal("4321.00000001"))
        if turn == 6:
            house.limits(max_turnover_per_cycle=Decimal(3), cooldown_h=Decimal(6))
        if turn == 8:
            house.targets = replace(house.targets, kept={"BTC": Decimal("0.1")}, external={"ETH": Decimal(1)})
        if turn == 10:
            weights = {"BTC": Decimal(45), "ETH": Decimal(25), "USDT": Decimal(30)}
            house.targets = replace(house.targets, weights=weights, leaving=("SOL",))
        house.set_faults("one_sided=0.2" if turn == 12 else "")
        with suppress(RebalancerError):
            house.cycle(forced=turn == 5)
        house.clock.advance(3 * 3600)
    count, found = replayed(house)
    assert found == [] and count >= 12


@pytest.fixture
def ran(owner: Owner) -> Owner:
    owner.say("run", **EMBEDDED)
    owner.say("run", "--live", **LIVE)
    return owner


def run_ids(owner: Owner) -> list[str]:
    return [run["run_id"] for run in json.loads(owner.say("history", "--json").out)["runs"]]


def test_a_run_of_each_mode_is_the_same_again_without_exchange_or_targets_file(ran: Owner) -> None:
    ran.targets.unlink()
    for words in ((), *((run,) for run in run_ids(ran))):
        said = ran.say("replay", *words)
        assert said.code == Exit.DONE and "the same plan to the last digit" in said.out, said
        document = json.loads(ran.say("replay", *words, "--json").out)
        assert document["schema"] == "rebalancer.replay/1" and document["identical"] and not document["differences"]
        assert document["cycle_id"] == (words[0] if words else run_ids(ran)[0])


def test_a_plan_that_differs_is_shown_place_by_place_and_ends_with_1(ran: Owner) -> None:
    path = ran.state / "embedded" / "journal.db"
    with Journal.open_to_read(path, SystemClock()) as journal:
        rows = list(journal.rows())
    row = [row for row in rows if row.kind is Kind.PLAN][-1]
    plan = json.loads(row.payload_text)["plan"]
    plan["assets"][0]["weight"] = "0.99"
    rewrite(path, *forged(rows, row.seq, {"plan": plan}))
    said = ran.say("replay")
    assert said.code == Exit.FAILURE
    assert "plan.assets[BTC].weight: 0.99 -> 0.4" in said.out and "1 place(s) differ" in said.out
    assert [line for line in said.out.splitlines() if len(line) > 80] == []
    document = json.loads(ran.say("replay", "--json").out)
    assert not document["identical"] and document["differences"][0]["recorded"] == "0.99"


def test_a_run_without_a_plan_or_of_no_name_cannot_be_replayed(owner: Owner) -> None:
    assert owner.say("replay").code == Exit.USAGE
    owner.say("pause")
    owner.say("run", "--live", **LIVE)
    said = owner.say("replay")
    assert said.code == Exit.USAGE and "before it had a plan" in said.err
    assert owner.say("replay", "cron-1").code == Exit.USAGE
