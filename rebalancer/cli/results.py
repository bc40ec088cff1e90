"""A cycle's result as documents, for the terminal and for programs."""

from __future__ import annotations

from typing import Any

from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.report.result import OrderEnd, ends_document
from rebalancer.service.cycle import CycleResult


def ends_of(result: CycleResult) -> list[OrderEnd]:
    """Return each leg with its outcome."""
    assert result.plan is not None
    records = {record.intent_seq: record for record in result.orders}
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
        for leg in result.plan.legs
        if leg.intent_seq in records
    ]


def result_document(result: CycleResult) -> dict[str, Any]:
    """Return `rebalancer.run/1`: the plan and what became of it."""
    header = PlanHeader(result.run_id, result.mode, result.venue)
    plan = result.plan
    return {
        "schema": "rebalancer.run/1",
        "cycle_id": result.run_id,
        "mode": result.mode,
        "venue": result.venue,
        "status": result.status.value,
        "text": result.text,
        "plan": None if plan is None else plan_document(plan, header),
        "orders": [] if plan is None else ends_document(ends_of(result)),
    }
