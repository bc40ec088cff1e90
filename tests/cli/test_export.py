"""The journal as tables: every run, order, fill and look of it, with amounts that add up to the last digit."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.journal import tables
from rebalancer.journal.tables import TABLES, read_tables
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE
from tests.journal.builders import new_journal, random_life
from tests.service.house import House
from tests.support import FakeClock


def exported(owner: Owner, place: str) -> dict[str, list[dict[str, str]]]:
    said = owner.say("export", place)
    assert said.code == Exit.DONE, said.err
    path = owner.folder / place
    if place.endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            texts = {name: packed.read(name).decode() for name in packed.namelist()}
    else:
        texts = {each.name: each.read_text(encoding="utf-8") for each in path.iterdir()}
    assert texts.keys() == {f"{name}.csv" for name in TABLES}
    return {name: list(csv.DictReader(io.StringIO(texts[f"{name}.csv"]))) for name in TABLES}


@pytest.fixture
def traded(owner: Owner) -> Owner:
    owner.say("run", **EMBEDDED)
    owner.say("run", "--live", **LIVE)
    return owner


def test_a_folder_and_a_zip_hold_the_same_for_their_owner_alone(traded: Owner) -> None:
    assert exported(traded, "tables") == exported(traded, "tables.zip")
    assert exported(traded, "tables") == exported(traded, "tables"), "older files are replaced"
    for path in (*(traded.folder / "tables").iterdir(), traded.folder / "tables.zip"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_runs_and_orders_are_those_of_the_history(traded: Owner) -> None:
    made, runs = exported(traded, "tables"), json.loads(traded.say("history", "--json").out)["runs"]
    assert [row["run_id"] for row in made["runs"]] == [run["run_id"] for run in reversed(runs)]
    for row, run in zip(made["runs"], reversed(runs), strict=True):
        for name in ("started_at", "mode", "slot", "status", "trigger", "nav_quote", "turnover"):
            assert row[name] == run[name], name
    orders = [order for run in reversed(runs) for order in run["orders"]]
    for row, order in zip(made["orders"], orders, strict=True):
        for name in ("symbol", "side", "amount", "state", "filled_quantity", "filled_quote", "venue_order_id"):
            assert row[name] == order[name], name


def test_the_fills_of_an_order_add_up_to_it_with_its_fees(traded: Owner) -> None:
    made, runs = exported(traded, "tables"), json.loads(traded.say("history", "--json").out)["runs"]
    fees = {order["venue_order_id"]: order["fees"] for run in runs for order in run["orders"]}
    for order in made["orders"]:
        fills = [fill for fill in made["fills"] if fill["venue_order_id"] == order["venue_order_id"]]
        assert sum(Decimal(fill["quantity"]) for fill in fills) == Decimal(order["filled_quantity"]) > 0
        paid: dict[str, Decimal] = {}
        for fill in fills:
            amount, asset = fill["fees"].split()
            paid[asset] = paid.get(asset, Decimal(0)) + Decimal(amount)
            assert fill["at"].endswith("Z") and fill["fill_id"]
        assert {asset: str(each) for asset, each in paid.items()} == fees[order["venue_order_id"]]
    assert len({fill["fill_id"] for fill in made["fills"]}) == len(made["fills"])


def test_the_worth_is_that_of_each_look(traded: Owner) -> None:
    made = exported(traded, "tables")
    assert [row["nav_quote"] for row in made["nav"]] == [row["nav_quote"] for row in made["runs"]]
    assert {row["adds_up"] for row in made["nav"]} == {"yes"}


def test_an_empty_journal_has_columns_and_no_rows(owner: Owner) -> None:
    assert exported(owner, "tables") == {name: [] for name in TABLES}
    assert json.loads(owner.say("export", "t.zip", "--json").out)["rows"] == dict.fromkeys(TABLES, 0)
    assert not owner.state.exists()


def test_a_place_that_cannot_be_written_is_named(owner: Owner) -> None:
    (owner.folder / "file").touch()
    for place in ("file", "file/x.zip", "none/x.zip"):
        said = owner.say("export", place)
        assert said.code == Exit.CONFIG and "cannot be written" in said.err, place


@pytest.mark.parametrize("seed", range(4))
def test_every_row_of_any_life_finds_its_place(seed: int) -> None:
    clock = FakeClock()
    with new_journal(clock=clock, checkpoint_rows=20) as journal:
        for _rows in random_life(journal, clock, seed, steps=120):
            pass
        made = read_tables(journal, lambda _seq: None)
        kinds = [row.kind for row in journal.rows()]
    counts = {"runs": tables.Kind.RUN, "orders": tables.Kind.INTENT, "nav": tables.Kind.LEDGER}
    assert {name: len(made[name]) for name in counts} == {name: kinds.count(kind) for name, kind in counts.items()}


def test_an_order_settled_by_a_later_run_stands_once_as_it_ended(tmp_path: Path) -> None:
    house = House(tmp_path, faults="lost_reply@place=1x1")
    house.cycle(settle_s=0)
    house.set_faults("")
    house.clock.advance(600)
    house.cycle()
    made = read_tables(house.journal, lambda _seq: None)
    keys = [(order["run_id"], order["intent_seq"]) for order in made["orders"]]
    assert len(keys) == len(set(keys)) == len(house.records)
    assert {order["state"] for order in made["orders"]} == set(house.states())
    assert {fill["run_id"] for fill in made["fills"]} <= {run["run_id"] for run in made["runs"]}
