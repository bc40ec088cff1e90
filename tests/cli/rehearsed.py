"""An owner whose service saw the prices an hour ago, so that its first live orders need not be the smallest."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

from rebalancer.journal.records import Binding
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED
from tests.e2e.processes import ACCOUNT
from tests.service.rehearsal import rehearse
from tests.support import FakeClock


def saw_the_prices(owner: Owner) -> None:
    """Leave in the owner's journal of the embedded exchange that an hour ago a look found nothing to doubt."""
    told = json.loads(owner.say("plan", "--json", **EMBEDDED).out)
    prices = {line["asset"]: Decimal(line["price"]) for line in told["assets"] if line["asset"] != told["quote"]}
    clock = FakeClock(SystemClock().now() - timedelta(hours=1))
    place = owner.state / "embedded" / "journal.db"
    place.parent.mkdir(parents=True)
    with Journal.open(place, clock) as journal:
        journal.ensure_binding(Binding("embedded", "127.0.0.1", ACCOUNT, told["quote"]))
        rehearse(journal, prices, clock.now())
