"""The views: each gathers what it shows and fills its template. No view writes anything but a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rebalancer.core.canonical import parse_moment
from rebalancer.core.targets import Targets
from rebalancer.cron_trigger import next_slot
from rebalancer.errors import ConfigError, RebalancerError
from rebalancer.journal.queries import RunView, recent_runs
from rebalancer.journal.store import Journal
from rebalancer.report.words import amount, in_doubt_text, money, percent, printable, signed_points
from rebalancer.seams import Clock
from rebalancer.service import requests
from rebalancer.service.pause import PauseSwitch
from rebalancer.targets.file import load_targets
from rebalancer.targets.listed import Listed, listed_in
from rebalancer.targets.staging import staged_words
from rebalancer.web import glance, reading
from rebalancer.web.access import FORM_FIELD, Access
from rebalancer.web.drift_bar import drift_bar
from rebalancer.web.editing import ASSET, VERSION, past_changes, weights_of, weights_of_version
from rebalancer.web.preview import ask as ask_for_preview

SEQ = re.compile(r"[0-9]{1,15}")
RUN = re.compile(r"[A-Za-z0-9-]{1,60}")
RUNS_SHOWN = 5


@cache
def environment() -> Environment:
    """Return the templates of this package, every value escaped and none ever missing."""
    made = Environment(
        loader=PackageLoader("rebalancer.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        money=lambda text: money(Decimal(text)),
        percent=lambda text, digits=2: percent(Decimal(text), digits),
        signed=lambda value: f"{'+' if value > 0 else ''}{money(value)}",
        signed_points=lambda text: signed_points(Decimal(text)),
        amount=lambda text: amount(Decimal(text)),
        words=lambda text: printable(str(text)).replace("_", " "),
        printable=printable,
        stamp=lambda moment: f"{moment:%Y-%m-%d %H:%M}",
        moment=reading.moment_words,
        drift_bar=drift_bar,
    )
    return made


@dataclass(frozen=True)
class Place:
    """Where things lie, and what is looked at."""

    journal: Path
    state: Path
    targets: Path
    mode: str
    venue: str
    version: str
    notice: str = ""  # stands on top of every view
    refresh_s: int = 30  # between two looks of an open overview


class Pages:
    """Every view as a function from what is asked to HTML."""

    def __init__(self, place: Place, access: Access, clock: Clock) -> None:
        self._place = place
        self._access = access
        self._clock = clock
        self._reader = reading.Reader(place.journal, clock)
        self._pause = PauseSwitch(place.state / "pause")
        self._mode = place.mode  # of the last run, once one was seen: the service's word counts, not this process's

    def warm(self) -> None:
        """Read the journal before anybody asks: the first answer is then as quick as the others."""
        with suppress(RebalancerError):  # whoever asks is told
            self.overview()

    def close(self) -> None:
        """Let the journal go."""
        self._reader.close()

    def _filled(self, name: str, **values: Any) -> str:
        common = {
            "mode": self._mode,
            "venue": glance.VENUES[self._place.venue],
            "version": self._place.version,
            "notice": self._place.notice,
            "refresh_s": self._place.refresh_s,
            "form_field": FORM_FIELD,
            "form_token": self._access.form_token,
            "inside": True,
        }
        return environment().get_template(f"{name}.html.j2").render(**{**common, **values})

    def login(self, *, wrong: bool) -> str:
        """Return the door."""
        return self._filled("login", wrong=wrong, inside=False, form_token="")

    def problem(self, text: str) -> str:
        """Return what went wrong."""
        return self._filled("problem", text=text)

    def overview(self) -> str:
        """Return how things are, at a glance."""
        with self._reader.journal() as journal:
            plan = reading.last_plan(journal)
            books = reading.books_over_time(journal)
            chart = reading.gain_chart(books)
            runs = recent_runs(journal, RUNS_SHOWN)
            state = self._state_of(journal)
            return self._filled(
                "overview",
                **state,
                **self._times_of(plan),
                plan=plan,
                verdict=_verdict(state, plan, runs),
                nearest=glance.nearest(plan) if plan else "",
                bars=glance.bars(plan) if plan else (),
                chart=chart,
                books=books[-1] if books else None,
                gains={line.name: Decimal(repr(line.last)) for line in chart.lines} if chart else {},
                since=f"{books[0].at:%Y-%m-%d}" if books else "",
                runs=runs,
            )

    def _state_of(self, journal: Journal) -> dict[str, Any]:
        state = journal.state
        self._mode = reading.mode_of(journal) or self._mode
        return {
            "paused": (self._pause.reason() or "no reason given") if self._pause.active() else "",
            "halts": list(state.halts.values()),
            "unresolved": state.unresolved,
            "doubted": [in_doubt_text(a, coin) for a, coin in state.coins.items() if coin.in_doubt],
            "quote": state.binding.quote if state.binding else "",
            "account_id": state.binding.account_id if state.binding else "",
        }

    def _times_of(self, plan: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the age of the last look, whether one is missing since, and when the next is due."""
        now = self._clock.now()
        seen = parse_moment(plan["taken_at"]) if plan else None
        times = {"age": reading.age_text(plan["taken_at"], now) if plan else "never", "old": True}
        try:
            schedule = self._targets().schedule
        except ConfigError:
            return {**times, "upcoming": "", "wait": ""}
        slot = next_slot(schedule.cron, schedule.timezone, now)
        times["old"] = seen is None or glance.overdue(seen, schedule, now)
        return {**times, "upcoming": f"{slot:%Y-%m-%d %H:%M} UTC", "wait": glance.wait_words(slot, now)}

    def _targets(self) -> Targets:
        return load_targets(self._place.targets)

    def runs(self, before: str) -> str | None:
        """Return a page of runs; `before` is the row to go back from."""
        if before and not SEQ.fullmatch(before):
            return None
        with self._reader.journal() as journal:
            found = reading.runs_page(journal, int(before) if before else None)
            more = found[-1].seq if len(found) == reading.RUNS_A_PAGE else None
            return self._filled("runs", runs=found, more=more, quote=self._state_of(journal)["quote"])

    def run(self, run_id: str) -> str | None:
        """Return one run with its plan, its orders and what is known of them."""
        if not RUN.fullmatch(run_id):
            return None
        with self._reader.journal() as journal:
            found = reading.one_run(journal, run_id)
            if found is None:
                return None
            view, plan, evidence = found
            return self._filled("run", run=view, plan=plan, evidence=evidence, quote=self._state_of(journal)["quote"])

    def coin(self, asset: str) -> str | None:
        """Return one coin's history."""
        if not ASSET.fullmatch(asset):
            return None
        with self._reader.journal() as journal:
            books = reading.books_over_time(journal)
            plan = reading.last_plan(journal)
            line = next((each for each in (plan or {"assets": []})["assets"] if each["asset"] == asset), None)
            if line is None:
                return None
            orders = reading.orders_of(journal, asset)
            quote = self._state_of(journal)["quote"]
            return self._filled(
                "coin", asset=asset, line=line, chart=reading.weight_chart(books, asset), orders=orders, quote=quote
            )

    def cost(self) -> str:
        """Return what rebalancing cost and brought."""
        with self._reader.journal() as journal:
            books, quote = reading.books_over_time(journal), self._state_of(journal)["quote"]
            last = books[-1] if books else None
            return self._filled("cost", chart=reading.cost_chart(books), books=last, quote=quote)

    def health(self) -> str:
        """Return whether the machinery is in order."""
        with self._reader.journal() as journal:
            plan = reading.last_plan(journal)
            return self._filled(
                "health",
                **self._state_of(journal),
                **self._times_of(plan),
                rows=journal.last_seq,
                checkpoint=journal.checkpoint_seq,
                state_place=str(self._place.state),
            )

    def targets(self, version: str = "") -> str | None:
        """Return the weights as a form, filled with those in force or with those of an older version."""
        if not version:
            return self._editor(self._targets())
        with self._reader.journal() as journal:
            weights = weights_of_version(journal, version) if VERSION.fullmatch(version) else None
        return None if weights is None else self._editor(self._targets(), weights)

    def _editor(self, targets: Targets, weights: Mapping[str, str] | None = None, **more: Any) -> str:
        shown = weights or {asset: f"{weight:f}" for asset, weight in targets.weights.items()}
        said = {"problem": "", "preview": None, "staged": False, **more}
        listed = self._listed(targets)
        unknown = [asset for asset in shown if asset not in targets.weights] if listed is None else []
        with self._reader.journal() as journal:
            past = past_changes(journal)
        return self._filled(
            "targets",
            targets=targets,
            past=past,
            waiting=staged_words(self._place.state, targets),
            weights=shown,
            file=str(self._place.targets),
            coins=sorted(listed.coins) if listed else [],
            unchecked=", ".join(unknown),
            **said,
        )

    def _listed(self, targets: Targets) -> Listed | None:
        return listed_in(self._place.state, self._place.venue, targets.quote)

    def _weights(self, form: Mapping[str, str], targets: Targets) -> tuple[dict[str, str], str]:
        """Return the weights of a form and what is wrong with them; a new coin must be one that is listed."""
        weights, problem = weights_of(form)
        listed = self._listed(targets)
        if not problem and listed is not None:
            problem = "; ".join(listed.problems([asset for asset in weights if asset not in targets.weights]))
        return weights, problem

    def preview(self, form: Mapping[str, str]) -> str:
        """Return the form again with what its weights would lead to."""
        targets = self._targets()
        weights, problem = self._weights(form, targets)
        if problem:
            return self._editor(targets, weights or None, problem=problem)
        found = self._look_ahead(weights)
        problem = found.get("refused") or found.get("problem", "")
        return self._editor(targets, weights, problem=problem, preview=found.get("plan") and found)

    def _look_ahead(self, weights: Mapping[str, str]) -> dict[str, Any]:
        with self._reader.journal():
            pass  # only what can be trusted is previewed
        return ask_for_preview(self._place.journal, self._place.targets, weights)

    def stage(self, form: Mapping[str, str]) -> str:
        """Leave the weights as a request, for the owner to confirm in the terminal; show what they lead to."""
        targets = self._targets()
        weights, problem = self._weights(form, targets)
        found = {} if problem else self._look_ahead(weights)
        problem = problem or found.get("refused", "")
        if not problem:
            problem = self._leave(requests.Ask.STAGE_TARGETS, {"weights": weights, "based_on": targets.digest})
        staged, unseen = not problem, found.get("problem", "")
        return self._editor(
            targets, weights or None, problem=problem or unseen, staged=staged, preview=found.get("plan") and found
        )

    def ask(self, what: str, form: Mapping[str, str]) -> str:
        """Leave a request for a pause or a dry run."""
        asked = {"pause": requests.Ask.PAUSE, "dry_run": requests.Ask.DRY_RUN}.get(what)
        if asked is None:
            return self.problem("Nothing of that name can be asked for here.")
        reason = printable(form.get("reason", ""))[:200]
        problem = self._leave(asked, {"reason": reason} if asked is requests.Ask.PAUSE else {})
        return self.problem(problem) if problem else self._filled("asked", what=what)

    def _leave(self, ask: requests.Ask, facts: Mapping[str, Any]) -> str:
        """Return what kept a request from being left, or an empty text."""
        try:
            requests.leave(self._place.state, requests.Request(ask, self._clock.now(), facts))
        except requests.RequestRefused as exc:
            return str(exc)
        except OSError as exc:
            return f"the request cannot be left: {exc.strerror}; may this process write to the state directory?"
        return ""


def _verdict(state: Mapping[str, Any], plan: Mapping[str, Any] | None, runs: list[RunView]) -> tuple[str, str]:
    """Return how things are in one sentence, and its kind; what stops the service comes before its last look."""
    if state["halts"]:
        return "Halted: nothing is planned until its owner answers.", "bad"
    if state["unresolved"]:
        return "An order's outcome is unknown: nothing else is planned until it is known.", "bad"
    if state["paused"]:
        return "Paused: nothing is sent.", "bad"
    if plan is None:
        return "", ""
    return glance.verdict(plan, next((run.orders for run in runs if run.run_id == plan["cycle_id"]), []))
