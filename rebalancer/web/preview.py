"""What other weights would lead to, from the last recorded look. A process of its own: the page stays small.

Reads {"journal", "targets", "weights"} as JSON on stdin, prints {"plan", "taken_at", "days", "spread"}, {"refused"} for
weights that the file cannot have, or {"problem"} where nothing can be said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.errors import ConfigError, RebalancerError

TIMEOUT_S = 20.0


def ask(journal: Path, targets: Path, weights: Mapping[str, str]) -> dict[str, Any]:
    """Return the preview, made by another process; its `problem` says why there is none."""
    question = json.dumps({"journal": str(journal), "targets": str(targets), "weights": dict(weights)})
    command = [sys.executable, "-m", "rebalancer.web.preview"]
    try:
        done = subprocess.run(  # noqa: S603  # our own module, no shell
            command, input=question, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        return dict(json.loads(done.stdout))
    except (subprocess.SubprocessError, ValueError) as exc:
        return {"problem": f"no preview could be made ({type(exc).__name__})"}


def preview(journal_path: Path, targets_path: Path, weights: Mapping[str, str]) -> dict[str, Any]:
    """Return the plan of other weights at the last recorded look, and how many days the limits spread it over."""
    from rebalancer.core.plan_json import PlanHeader, plan_document  # noqa: PLC0415  # numpy, in this process only
    from rebalancer.core.planner import make_plan  # noqa: PLC0415
    from rebalancer.core.snapshot_json import read_snapshot  # noqa: PLC0415
    from rebalancer.core.spread import spread_of  # noqa: PLC0415
    from rebalancer.cron_trigger import slots_a_day  # noqa: PLC0415
    from rebalancer.journal import records  # noqa: PLC0415
    from rebalancer.journal.rows import Kind  # noqa: PLC0415
    from rebalancer.journal.store import Journal  # noqa: PLC0415
    from rebalancer.report.spread import spread_text  # noqa: PLC0415
    from rebalancer.service.clock import SystemClock  # noqa: PLC0415
    from rebalancer.targets.edit import with_weights  # noqa: PLC0415
    from rebalancer.targets.file import parse_targets  # noqa: PLC0415
    from rebalancer.targets.toml_text import decode, read_bytes  # noqa: PLC0415

    source = str(targets_path)
    text = decode(read_bytes(targets_path), source)
    try:
        after = with_weights(text, {asset: Decimal(percent) for asset, percent in weights.items()}, source)
        targets = parse_targets(after, "the targets with these weights")
    except ConfigError as exc:
        return {"refused": str(exc)}
    with Journal.open_to_read(journal_path, SystemClock()) as journal:
        rows = journal.newest(Kind.SNAPSHOT, 1)
    if not rows:
        return {"problem": "no look is recorded yet; the first cycle makes one"}
    snapshot, usage = read_snapshot(records.unpack_snapshot(json.loads(rows[0].payload_text)))
    unseen = [asset for asset in targets.assets if asset not in snapshot.balances]
    if unseen:
        return {"problem": f"{', '.join(unseen)}: no cycle has looked at it yet; `targets confirm` shows the trades"}
    schedule = targets.schedule
    looks = slots_a_day(schedule.cron, schedule.timezone, snapshot.taken_at)
    spread = spread_of(snapshot, targets, usage, looks)
    if spread is None:
        return {"problem": "a price is missing in the last look; the next one may have it"}
    capped = make_plan(snapshot, targets, replace(usage, targets_changed=True))
    header = PlanHeader("preview", "dry-run", "recorded")
    return {
        "plan": plan_document(capped if capped.denials else spread.plan, header),
        "taken_at": rows[0].t_exch,
        "days": spread.days,
        "spread": spread_text(spread, targets),
    }


def main() -> None:
    """Answer one question."""
    question = json.loads(sys.stdin.read())
    try:
        answer = preview(Path(question["journal"]), Path(question["targets"]), question["weights"])
    except RebalancerError as exc:
        answer = {"problem": str(exc)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
