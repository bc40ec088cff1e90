"""One coin's orders on its page, however long ago they were."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rebalancer.journal import records
from rebalancer.web.reading import orders_of
from tests.service.house import House


def test_a_coin_that_was_traded_long_ago_still_shows_its_orders(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    traded = {asset: orders_of(house.journal, asset) for asset in ("BTC", "ETH", "SOL", "USDT", "DOGE")}
    for number in range(300):
        slot = house.clock.now() + timedelta(hours=number + 1)
        run = f"quiet-{number}"
        house.journal.append(
            records.run_started(run, schedule_id="cron", slot=slot, mode="live"),
            records.run_closed(run, status="within_bands"),
        )
    for asset, before in traded.items():
        now = orders_of(house.journal, asset)
        assert [order for _, order in now] == [order for _, order in before]
        symbols = {order["symbol"] for _, order in now}
        assert symbols == {f"{asset.lower()}usdt"} or asset in ("USDT", "DOGE")
    assert len(traded["USDT"]) == len(house.records) and traded["DOGE"] == []
    house.close()
