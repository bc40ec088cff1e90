"""`rebalancer report`: a run that was recorded, or a week, for somebody to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import journal_to_read, load_settings, note
from rebalancer.cli.plan import FORMATS, write_report
from rebalancer.cli.terminal import heading, wants_colour
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.queries import RecordedRun
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings

EPILOG = """\b
Examples:
  rebalancer report
  rebalancer report cron-20260301T1207Z-a1 --format html --output run.html
"""


@click.command(epilog=EPILOG)
@click.argument("cycle", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Of the report.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def command(*, cycle: str | None, form: str, as_json: bool, output: Path | None) -> None:
    """Show the plan of a recorded run again, and what became of it.

    CYCLE is a run as `rebalancer history` names it; without one it is the last run. It asks no exchange.
    """
    settings = load_settings()
    form = "json" if as_json else form
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        run = find_run(journal, cycle)
    shown = run_report(settings, run, form, colour=output is None and wants_colour())
    if output is None:
        click.echo(shown, nl=False)
        return
    write_report(output, shown)
    if form != "json":
        note(f"{heading(run.view.mode, settings.venue_kind)}: the report is in {output}")


def find_run(journal: Journal, name: str | None) -> RecordedRun:
    """Return a run by its name, or the last one; UsageError that names what there is."""
    import difflib  # noqa: PLC0415

    from rebalancer.journal.queries import recent_runs, recorded_run  # noqa: PLC0415
    from rebalancer.journal.rows import Kind  # noqa: PLC0415

    if name is None:
        newest = recent_runs(journal, 1)
        if not newest:
            raise click.UsageError("no run yet; `rebalancer run` makes the first")
        name = newest[0].run_id
    found = recorded_run(journal, name)
    if found is None:
        known = [row.run_id for row in journal.newest(Kind.RUN, 1000)]
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else " `rebalancer history` lists the runs."
        raise click.UsageError(f"No run {name!r} in this journal.{hint}")
    return found


def run_report(settings: Settings, run: RecordedRun, form: str, *, colour: bool) -> str:
    """Return a recorded run in one of the forms of `plan`."""
    from rebalancer.cli.plan import render  # noqa: PLC0415
    from rebalancer.cli.results import ends_of, run_document  # noqa: PLC0415
    from rebalancer.cli.run import end_text, end_words  # noqa: PLC0415
    from rebalancer.core.plan_read import read_header, read_plan  # noqa: PLC0415
    from rebalancer.core.snapshot_json import read_snapshot  # noqa: PLC0415
    from rebalancer.report.result import ends_text  # noqa: PLC0415

    view = run.view
    if run.plan is None or run.snapshot is None:
        return _planless(settings, run, form)
    header = read_header(run.plan)
    plan = read_plan(run.plan, read_snapshot(run.snapshot)[0])
    ends = ends_of(plan, run.orders)
    ended = [*([view.text] if view.text else []), end_words(header, view.status)]
    match form:
        case "json":
            return json.dumps(run_document(header, view.status, view.text, plan, ends), indent=2) + "\n"
        case "md":
            from rebalancer.report.tables import plan_markdown  # noqa: PLC0415

            return plan_markdown(plan, header, ends=ends, ended=ended)
        case "html":
            from rebalancer.report.html import plan_html  # noqa: PLC0415

            return plan_html(plan, header, ends=ends, ended=ended)
        case "csv":
            return render(plan, header, form, colour=False)
    orders = f"\n{ends_text(ends)}" if ends else ""
    return render(plan, header, form, colour=colour) + orders + end_text(header, view.status, view.text)


def _planless(settings: Settings, run: RecordedRun, form: str) -> str:
    """Return a run that ended before it had a plan: all there is to show is why."""
    from rebalancer.cli.results import run_document  # noqa: PLC0415
    from rebalancer.cli.run import end_text, end_words  # noqa: PLC0415
    from rebalancer.core.canonical import parse_moment  # noqa: PLC0415
    from rebalancer.core.plan_json import PlanHeader  # noqa: PLC0415

    view = run.view
    header, at = PlanHeader(view.run_id, view.mode, settings.venue_kind), parse_moment(view.started_at)
    ended = [*([view.text] if view.text else []), end_words(header, view.status)]
    match form:
        case "json":
            return json.dumps(run_document(header, view.status, view.text, None, []), indent=2) + "\n"
        case "md":
            from rebalancer.report.tables import ended_markdown  # noqa: PLC0415

            return ended_markdown(header, ended)
        case "html":
            from rebalancer.report.html import ended_html  # noqa: PLC0415

            return ended_html(header, at, ended)
        case "csv":
            from rebalancer.report.tables import COLUMNS  # noqa: PLC0415

            note("\n".join(ended))  # the table has no place for it
            return ",".join(COLUMNS) + "\n"
    first = f"{heading(header.mode, header.venue)}  {at:%Y-%m-%d %H:%M:%S} UTC  no plan"
    return first + "\n" + end_text(header, view.status, view.text)
