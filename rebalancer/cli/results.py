"""What became of a cycle, fresh or from the journal, as documents for the terminal and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rebalancer.core.plan import Plan
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.journal.state import IntentRecord
from rebalancer.report.result import OrderEnd, ends_document
from rebalancer.service.cycle import CycleResult


def ends_of(plan: Plan, orders: Iterable[IntentRecord]) -> list[OrderEnd]:
    """Return each leg that was journalled with its outcome."""
    records = {record.intent_seq: record for record in orders}
    return [
        OrderEnd(
            leg=leg,
            state=records[leg.intent_seq].state,
            sent=records[leg.intent_seq].sent_amount,
            filled_quantity=records[leg.intent_seq].filled_quantity,
            filled_quote=records[leg.intent_seq].filled_quote,
            fees=records[leg.intent_seq].fees,
            client_order_id=records[leg.intent_seq].client_order_id,
            venue_order_id=records[leg.intent_seq].venue_order_id,
            text=records[leg.intent_seq].text,
        )
        for leg in plan.legs
        if leg.intent_seq in records
    ]


def run_document(header: PlanHeader, status: str, text: str, plan: Plan | None, ends: list[OrderEnd]) -> dict[str, Any]:
    """Return `rebalancer.run/1`: the plan and what became of it."""
    return {
        "schema": "rebalancer.run/1",
        "cycle_id": header.cycle_id,
        "mode": header.mode,
        "venue": header.venue,
        "status": status,
        "text": text,
        "plan": None if plan is None else plan_document(plan, header),
        "orders": ends_document(ends),
    }


def result_document(result: CycleResult) -> dict[str, Any]:
    """Return the document of a cycle that just ended."""
    header = PlanHeader(result.run_id, result.mode, result.venue)
    ends = [] if result.plan is None else ends_of(result.plan, result.orders)
    return run_document(header, result.status.value, result.text, result.plan, ends)
