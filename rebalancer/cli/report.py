"""`rebalancer report`: a run that was recorded, or a week, for somebody to read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import journal_to_read, load_settings, note
from rebalancer.cli.plan import FORMATS, write_report
from rebalancer.cli.terminal import heading, lines_of, wants_colour
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.queries import RecordedRun
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings

EPILOG = """\b
Examples:
  rebalancer report
  rebalancer report cron-20260301T1207Z-a1 --format html --output run.html
  rebalancer report --week
  rebalancer report --week 2026-03-01 --format md
"""
SEVEN_DAYS = ""


@click.command(epilog=EPILOG)
@click.argument("cycle", required=False)
@click.option("--week", metavar="[DATE]", is_flag=False, flag_value=SEVEN_DAYS,
              help="The digest of the week of that day, Monday to Sunday; else of the last seven days.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Of the report.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def command(*, cycle: str | None, week: str | None, form: str, as_json: bool, output: Path | None) -> None:
    """Show the plan of a recorded run again, and what became of it; or the digest of a week.

    CYCLE is a run as `rebalancer history` names it; without one it is the last run. No exchange is asked.
    """
    form = "json" if as_json else form
    if week is not None:
        _require_digest(cycle, form)
    settings, clock = load_settings(), SystemClock()
    with journal_to_read(settings.paths.journal(settings.venue_kind), clock) as journal:
        if week is None:
            run = find_run(journal, cycle)
            shown = run_report(settings, run, form, colour=output is None and wants_colour())
        else:
            shown = week_report(settings, journal, _period(week, clock.now()), form)
    if output is None:
        click.echo(shown, nl=False)
        return
    write_report(output, shown)
    if form != "json":
        note(f"the report is in {output}")


def _require_digest(cycle: str | None, form: str) -> None:
    if cycle is not None:
        raise click.UsageError(f"a digest is of a week, not of the run {cycle!r}; leave one of them out")
    if form == "csv":
        raise click.UsageError("a digest is no table; --format text, json, md or html (`export` writes tables)")


def _period(week: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the digest's first moment and the one after its last, which is never later than now."""
    from rebalancer.journal.weeks import WEEK, week_of  # noqa: PLC0415

    if week == SEVEN_DAYS:
        return now - WEEK, now
    try:
        day = datetime.strptime(week, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(f"{week!r} is no day such as 2026-03-01", param_hint="--week") from None
    since, until = week_of(day)
    if since > now:
        raise click.BadParameter(f"{week} is in a week that has not begun", param_hint="--week")
    return since, min(until, now)


def week_report(settings: Settings, journal: Journal, period: tuple[datetime, datetime], form: str) -> str:
    """Return the digest of a period in one of its forms."""
    from rebalancer.journal.weeks import read_period  # noqa: PLC0415

    told = read_period(journal, *period)
    mode, venue = told.mode or settings.mode, settings.venue_kind
    if form == "text":
        from rebalancer.report.digest import digest_lines  # noqa: PLC0415

        return (
            "\n".join(
                wrapped
                for first, text in digest_lines(told, heading(mode, venue))
                for wrapped in lines_of(text, first=first, later=" " * len(first))
            )
            + "\n"
        )
    from rebalancer.report.digest_forms import digest_document, digest_html, digest_markdown  # noqa: PLC0415

    match form:
        case "json":
            return json.dumps(digest_document(told, mode, venue), indent=2) + "\n"
        case "md":
            return digest_markdown(told, heading(mode, venue))
    return digest_html(told, mode, venue)


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
