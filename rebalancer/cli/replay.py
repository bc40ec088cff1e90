"""`rebalancer replay`: the plan of a recorded run made again of what it was made of, and held against it."""

from __future__ import annotations

from dataclasses import asdict

import click

from rebalancer.cli.context import LIVE, journal_to_read, load_settings
from rebalancer.cli.exits import Exit
from rebalancer.cli.report import find_run
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.service.clock import SystemClock


@click.command(epilog="\b\nExamples:\n  rebalancer replay\n  rebalancer replay cron-20260301T1207Z-a1 --json")
@click.argument("cycle", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, cycle: str | None, as_json: bool) -> int:
    """Make the plan of a recorded run again, and show where it differs from the one that was recorded.

    CYCLE is a run as `rebalancer history` names it; without one it is the last run. What the run saw, what was known of
    its past and its targets are in the journal: no exchange is asked and no file read. Ends with 0 when both are the
    same; with 1 when they differ, as they may after an update that decides otherwise.
    """
    from rebalancer.core.inputs import plan_of, read_inputs  # noqa: PLC0415
    from rebalancer.core.plan_json import plan_document  # noqa: PLC0415
    from rebalancer.core.plan_read import read_header  # noqa: PLC0415
    from rebalancer.report.replay import differences  # noqa: PLC0415

    settings = load_settings()
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        run = find_run(journal, cycle)
    if run.plan is None or run.snapshot is None:
        raise click.UsageError(f"run {run.view.run_id} ended before it had a plan: `rebalancer report` says why")
    inputs = read_inputs(run.snapshot)
    if inputs is None:
        raise click.UsageError(f"run {run.view.run_id} is of a version that did not yet write its targets down")
    header = read_header(run.plan)
    again = plan_document(plan_of(inputs, live=header.mode == LIVE, name=header.cycle_id), header)
    found = list(differences(run.plan, again))
    if as_json:
        document = {"schema": "rebalancer.replay/1", "cycle_id": header.cycle_id, "identical": not found}
        echo_document({**document, "differences": [asdict(each) for each in found]})
    else:
        click.echo(f"{heading(header.mode, header.venue)}  {header.cycle_id}")
        for each in found:
            click.echo("\n".join(lines_of(f"{each.place}: {each.recorded} -> {each.again}", later="  ")))
        told = f"{len(found)} place(s) differ: recorded -> now" if found else "the same plan to the last digit"
        click.echo(told)
    return Exit.FAILURE if found else Exit.DONE
