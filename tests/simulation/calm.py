"""The phase without faults: every order comes to its end, nothing halts for ever, the portfolio gets where it can be."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from rebalancer.core.plan import Plan
from rebalancer.core.reasons import Deny, Skip
from rebalancer.service.cycle import CycleResult, CycleStatus
from tests.simulation.checks import Checker
from tests.simulation.rows import Unlisted
from tests.simulation.world import World, must

SETTLED_MS = 30 * 60_000  # after the last fault, or after what it held back came to light
REPEATED_MAX = 3  # slots in which the same guard may refuse while all is well
PEG_OFF_MAX = Decimal("0.02")
WEIGHT_OFF_MAX = Decimal("0.005")
# What the day has used up, and a price that really ran away, is over within a day; what only the owner can change waits.
LASTING = {Deny.TURNOVER_DAY, Deny.NOTIONAL_DAY, Deny.ORDERS_DAY, Deny.DAY_MOVE_TOO_LARGE, Deny.CASH_BELOW_KEEP}


class Calm:
    """Judges slots without faults."""

    def __init__(self, world: World, checker: Checker, unlisted: Unlisted) -> None:
        self._world, self._checker, self._unlisted = world, checker, unlisted
        self._since_ms = 0
        self._refused: Counter[str] = Counter()  # slots in a row, by what refused them

    def at_slot(self) -> None:
        """L1: what was open when the last fault ended has its end soon after."""
        world = self._world
        self._since_ms = self._since_ms or world.true_ms
        held_back = [max(order.visible_ms, order.due_ms) for order in self._checker.ours()]
        last_ms = max(self._since_ms, *held_back, 0)
        waiting = [known.cid for known in self._checker.intents.values() if known.is_open]
        late_ms = world.true_ms - last_ms
        must(not waiting or late_ms <= SETTLED_MS, "L1", f"{waiting} open {late_ms} ms after the last fault")

    def after_slot(self, last: CycleResult | None, refusal: str) -> None:
        """L3: no guard refuses for more than a few slots while all is well, unless it waits for an answer or a day."""
        plan = last.plan if last is not None else None
        codes: set[str] = {refusal} if last is None else set()
        if plan is not None and plan.refused:
            found = {each.code for each in plan.denials}
            ran_away = Deny.DAY_MOVE_TOO_LARGE in found  # whatever else is said of it
            codes = {code.value for code in found - LASTING - self._unanswered() if not ran_away}
        self._refused = Counter({code: self._refused[code] + 1 for code in codes})
        often = [code for code, count in self._refused.items() if count > REPEATED_MAX]
        must(not often, "L3", f"{often} refused {REPEATED_MAX + 1} slots in a row")

    def _unanswered(self) -> set[Deny]:
        """Return what is refused for a reason that stays: a row that nobody speaks of, a stable coin that is none."""
        gone = self._unlisted.is_gone and self._unlisted.owner == "silent"
        off_peg = abs(self._world.price("USDC") - 1) > PEG_OFF_MAX
        return ({Deny.BALANCE_MISSING} if gone else set()) | ({Deny.QUOTE_DEPEGGED} if off_peg else set())

    def at_end(self, last: CycleResult | None, refusal: str) -> None:
        """L1 to L4, of the last slot."""
        must(not self._checker.open_count, "L1", f"{self._checker.open_count} order(s) still open")
        must(last is not None, "L3", f"the last slot was refused: {refusal}")
        assert last is not None
        must(last.status is not CycleStatus.OUTCOME_UNKNOWN, "L1", last.text)
        assert last.plan is not None
        self._must_miss_no_row(last.plan)
        self._must_be_within_bands(last.plan)

    def _must_miss_no_row(self, plan: Plan) -> None:
        without_row = {denial.asset for denial in plan.denials if denial.code is Deny.BALANCE_MISSING}
        unanswered = {self._unlisted.coin} if Deny.BALANCE_MISSING in self._unanswered() else set()
        wanted = unanswered & {*self._checker.targets.assets}
        must(without_row == wanted, "L3", f"no row of {without_row}, of {unanswered} there is none")

    def _must_be_within_bands(self, plan: Plan) -> None:
        """L2: by weights of the judge's own, what is outside its band has a named reason."""
        if self._unlisted.hides:
            return
        own = self._checker.weights()
        traded = {coin for leg in plan.legs for coin in (leg.spent, leg.received)}
        named = {*(skip.asset for skip in plan.skips), *traded, "USDT"}
        # A question was answered when it was asked; L3 sees to it that it is not asked for ever.
        lasting = {denial.code for denial in plan.denials} & (LASTING | self._unanswered() | {Deny.ACK_NEEDED})
        waiting = lasting or any(skip.reason.code is Skip.CAP_REACHED for skip in plan.skips)
        for line in plan.assets:
            weight = own[line.asset]
            seen = line.asset in traded | {"USDT"} or abs(weight - line.weight) <= WEIGHT_OFF_MAX
            must(seen, "L2", f"{line.asset} weighs {weight:.4f}, the plan says {line.weight:.4f}")
            inside = line.band_low - WEIGHT_OFF_MAX <= weight <= line.band_high + WEIGHT_OFF_MAX
            must(inside or line.asset in named or waiting, "L2", f"{line.asset} weighs {weight:.4f} without a reason")
