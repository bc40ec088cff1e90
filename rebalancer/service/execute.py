"""A plan carried out: written down, sent once, settled, leg by leg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial

from rebalancer.core import fit
from rebalancer.core.depth import walk_book
from rebalancer.core.holdings import spendable
from rebalancer.core.ids import client_order_id
from rebalancer.core.model import Balance, Book, PlaceRequest, Side, Snapshot, Terms, amount_of, price_of
from rebalancer.core.money import ZERO, QuoteAmount, plain
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.plan import Leg, Plan
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets
from rebalancer.core.trust import FILL_OFF_MAX
from rebalancer.errors import AuthCause, NotSent, OutcomeUnknown, Rejected, VenueError
from rebalancer.journal import records
from rebalancer.journal.fold import IntentRecord
from rebalancer.journal.records import Intent
from rebalancer.journal.rows import Entry
from rebalancer.service.ages import Instant, age_s, this_instant
from rebalancer.service.conserve import BALANCE_LAG_S, Expected, PlanStopped, moved, require_explained
from rebalancer.service.gate import SKEW_MAX_S
from rebalancer.service.settle import settle
from rebalancer.service.shell import Progress, Shell, Step
from rebalancer.venues.base import Venue

SIGNATURE_LIFE_S = 300  # HTX: a timestamp is valid for 5 minutes
SKEW_BOUND_S = 30
INDEX_LAG_S = 90
ABSENCE_S = SIGNATURE_LIFE_S + SKEW_BOUND_S + INDEX_LAG_S  # before this no "not found" proves anything
PLAN_AGE_MAX_S = 300.0
LOOK_AGE_MAX_S = 10.0  # of the leg's own book and balances when it is sent: slow reads must not pass for fresh ones
PRECISION_CODE = "order-orderamount-precision-error"
KEY_REFUSED = "key_refused"


@dataclass
class Execution:
    """One plan under way: what has been sent, and what the balances must therefore be."""

    shell: Shell
    plan: Plan
    targets: Targets
    snapshot: Snapshot
    run_id: str
    decided_at: Instant  # or a little before: when the look began that the plan was made on
    intents: dict[int, Intent]
    expected: Expected
    sent_quote: dict[Side, Decimal] = field(default_factory=dict)
    paid_quote: Decimal = ZERO  # of the cash, at the decision mids


def make_intents(plan: Plan, run_id: str, nonce: str) -> tuple[Intent, ...]:
    """Return a plan's legs as intents with their client order ids."""
    return tuple(
        Intent(
            run_id=run_id,
            intent_seq=leg.intent_seq,
            asset=leg.asset,
            symbol=leg.symbol,
            quote=leg.quote,
            terms=leg.terms,
            notional_quote=leg.notional_quote,
            capped=leg.capped,
            client_order_id=client_order_id(
                account_id=plan.account_id,
                nonce=nonce,
                run=run_id,
                intent_seq=leg.intent_seq,
                symbol=leg.symbol,
                side=leg.side,
                amount=amount_of(leg.terms),
                price=price_of(leg.terms),
            ),
        )
        for leg in plan.legs
    )


def execute(
    shell: Shell, plan: Plan, targets: Targets, snapshot: Snapshot, run_id: str, plan_row: Entry, decided_at: Instant
) -> str:
    """Carry out a plan with legs; return why it ended early, or an empty text.

    Plan and intents become durable in one transaction. Until anything ever traded, the smallest leg goes alone, and
    the rest follows only when the balances agree to the last digit.
    """
    intents = make_intents(plan, run_id, shell.journal.state.nonce)
    shell.journal.append(*records.plan_and_intents(plan_row, intents))
    run = Execution(
        shell=shell,
        plan=plan,
        targets=targets,
        snapshot=snapshot,
        run_id=run_id,
        decided_at=decided_at,
        intents={intent.intent_seq: intent for intent in intents},
        expected=_expected(plan, snapshot),
    )
    try:
        _send_all(run)
    except PlanStopped as stop:
        close_plan(shell, run_id, str(stop))
        return str(stop)
    close_plan(shell, run_id, "every leg was handled", whole=True)
    return ""


def _expected(plan: Plan, snapshot: Snapshot) -> Expected:
    held = {asset: each.total for asset, each in snapshot.balances.items()}
    return Expected(dict.fromkeys(plan.taken_as_zero, ZERO) | held, set(plan.taken_as_zero))


def _send_all(run: Execution) -> None:
    legs: Sequence[Leg] = run.plan.legs
    while legs:
        alone = not run.shell.journal.state.has_traded
        leg, legs = fit.first_leg_alone(legs) if alone else (legs[0], legs[1:])
        _send_leg(run, leg)
        if alone and run.shell.journal.state.has_traded:
            require_explained(run.shell, run.expected, (leg.asset, leg.quote), run.run_id, exact=True)
    moved_coins = dict.fromkeys(coin for leg in run.plan.legs for coin in (leg.spent, leg.received))
    touched = [asset for asset in moved_coins if asset in run.expected.traded]
    require_explained(run.shell, run.expected, touched, run.run_id, exact=False)


def close_plan(shell: Shell, run_id: str, text: str, *, whole: bool = False) -> None:
    """End a plan: what was not sent is abandoned, in the same transaction as the closing row."""
    waiting = [
        record
        for record in shell.journal.state.intents.values()
        if record.run_id == run_id and record.state is IntentState.PLANNED
    ]
    shell.journal.append(
        *(records.outcome(run_id, record.intent_seq, Event.CLOSE, text=text) for record in waiting),
        records.plan_closed(run_id, text, whole=whole),
    )


def _send_leg(run: Execution, leg: Leg) -> None:
    shell, intent = run.shell, run.intents[leg.intent_seq]
    if shell.stopped():
        raise PlanStopped("paused" if shell.pause.active() else "told to stop")
    book, balances, looked_at = _fresh_look(run, leg)
    # After the look, which may wait for balances: from here on its own age is what is asked.
    if age_s(shell.clock, run.decided_at) > PLAN_AGE_MAX_S:
        raise PlanStopped(f"the plan is older than {PLAN_AGE_MAX_S:.0f} s; the next slot plans afresh")
    fitted = _fitted(run, leg, book, balances)
    if isinstance(fitted, str):
        shell.journal.append(records.outcome(run.run_id, leg.intent_seq, Event.DENY, text=fitted))
        shell.say(Progress(Step.REFUSED, fitted, leg.symbol, leg.side))
        return
    request = _write_down(run, fitted, intent, balances, looked_at)
    for side in _sides(leg):
        run.sent_quote[side] = run.sent_quote.get(side, ZERO) + fitted.notional_quote
    run.paid_quote += fitted.notional_quote if fit.needs_cash(leg) else ZERO
    _send_once(run, fitted, request, looked_at)


def _sides(leg: Leg) -> tuple[Side, ...]:
    """Return on which sides of the turnover a leg counts: a direct one sells a coin and buys another."""
    return (leg.side,) if leg.direct is None else (Side.SELL, Side.BUY)


def _fresh_look(run: Execution, leg: Leg) -> tuple[Book, Mapping[str, Balance], Instant]:
    """Read the leg's book and the balances again, and return them with the instant at which that began.

    Raises PlanStopped when they say that somebody else moved coins.
    """
    differing: tuple[str, ...] = ()
    for pause_s in BALANCE_LAG_S:
        run.shell.clock.sleep(pause_s)
        looked_at = this_instant(run.shell.clock)
        try:
            book, balances = _read(run.shell.venue, run, leg)
        except VenueError as exc:
            raise PlanStopped(f"{leg.symbol}: cannot be looked at before sending: {exc}") from exc
        run.expected.see(balances)
        differing = run.expected.differing((leg.asset, leg.quote), balances)
        if not differing:
            return book, balances, looked_at
    raise moved(run.shell, run.expected, differing, balances, run.run_id)


def _read(venue: Venue, run: Execution, leg: Leg) -> tuple[Book, Mapping[str, Balance]]:
    books: list[Book] = []
    balances: list[Mapping[str, Balance]] = []
    run.shell.gather(
        [
            lambda: books.append(venue.fetch_book(leg.symbol)),
            lambda: balances.append(venue.fetch_balances(run.plan.account_id)),
        ]
    )
    return books[0], run.expected.counted(balances[0])


def _fitted(run: Execution, leg: Leg, book: Book, balances: Mapping[str, Balance]) -> Leg | str:
    """Return the leg as it may be sent now, or why it may not."""
    rules = run.snapshot.rules[leg.asset] if leg.direct is None else run.snapshot.crosses[leg.symbol].rules
    state = run.shell.journal.state
    usage = state.usage(run.shell.venue.server_now(), "")
    free = spendable(run.targets, run.expected.safe(balances[leg.spent]))
    amount_precision = rules.symbol in usage.amount_precision_symbols
    fitted = fit.fit_leg(leg, free=free, rules=rules, amount_precision=amount_precision)
    if not isinstance(fitted, Leg):
        return f"{fitted.code}: {fitted.text}"
    assert run.plan.nav_limits_quote is not None
    sent_quote = max(run.sent_quote.get(side, ZERO) for side in _sides(leg))
    fitted = fit.fit_to_proceeds(
        fitted,
        run.plan.legs,
        rules,
        sold_quote=_sold_quote(run),
        paid_quote=run.paid_quote,
        amount_precision=amount_precision,
    )
    if not isinstance(fitted, Leg):
        return f"{fitted.code}: {fitted.text}"
    clipped = fit.clip_to_limits(
        fitted, run.targets.limits, usage, run.plan.nav_limits_quote, rules, spent_quote=sent_quote
    )
    if not isinstance(clipped, Leg):
        return f"{clipped.code}: {clipped.text}"
    if book.mid is None:
        return f"{Deny.QUOTE_ONE_SIDED}: the book of {leg.symbol} lost a side"
    if run.plan.needs_leave:
        left = _leave_left(run, leg)
        clipped = fit.clip_to_leave(clipped, left, book.mid, rules, amount_precision=amount_precision)
        if not isinstance(clipped, Leg):
            return f"{clipped.code}: {clipped.text}"
    most_bps = run.targets.limits.max_slippage_bps
    cut = fit.cut_to_book(clipped, book, rules, most_bps, amount_precision=amount_precision)
    if cut is None:
        slippage_bps = walk_book(book, leg.mid, clipped.size).slippage_bps
        return f"slippage: {leg.symbol} would now cost {slippage_bps:.1f} bps against the decision"
    return cut


def _leave_left(run: Execution, leg: Leg) -> Decimal:
    """Return what the fills so far left, on the leg's side, of the turnover that the owner allowed."""
    approval = run.shell.journal.state.approval
    return ZERO if approval is None else min(approval.left_on(side) for side in _sides(leg))


def _sold_quote(run: Execution) -> Decimal:
    """Return what this plan's sells for cash really sold, at their decision mids."""
    intents = run.shell.journal.state.intents
    return sum(
        (
            intents[run.run_id, leg.intent_seq].filled_quantity * leg.mid
            for leg in run.plan.legs
            if fit.brings_cash(leg)
        ),
        ZERO,
    )


def _write_down(
    run: Execution, leg: Leg, intent: Intent, balances: Mapping[str, Balance], looked_at: Instant
) -> PlaceRequest:
    """Open the way, take the signing time and make SENDING durable; nothing is sent before this returns."""
    shell = run.shell
    try:
        skew_s = shell.venue.warm_order_path()
    except VenueError as exc:
        raise PlanStopped(f"{leg.symbol}: no way to the exchange: {exc}") from exc
    if abs(skew_s) > SKEW_MAX_S:
        raise PlanStopped(f"{Deny.CLOCK_SKEW}: the clocks are {skew_s:+.1f} s apart")
    if shell.stopped():
        raise PlanStopped("paused" if shell.pause.active() else "told to stop")
    if age_s(shell.clock, looked_at) > LOOK_AGE_MAX_S:
        raise PlanStopped(f"{leg.symbol}: looking took over {LOOK_AGE_MAX_S:.0f} s; the next slot looks again")
    signed_at = shell.venue.server_now().replace(microsecond=0)
    request = PlaceRequest(run.plan.account_id, leg.symbol, leg.terms, intent.client_order_id, signed_at)
    assert request.side is intent.side and request.symbol == intent.symbol, intent
    assert price_of(request.terms) == price_of(intent.terms), (request.terms, intent.terms)
    assert amount_of(request.terms) <= amount_of(intent.terms), (request.terms, intent.terms)
    before = {asset: balances[asset].total for asset in (leg.asset, leg.quote)}
    deadline = signed_at + timedelta(seconds=ABSENCE_S)
    shell.journal.append(records.sending(intent, leg, signed_at=signed_at, deadline=deadline, free_before=before))
    return request


def _send_once(run: Execution, leg: Leg, request: PlaceRequest, looked_at: Instant) -> None:
    """Make the one place call of the one intent, and record what is known after it."""
    shell = run.shell
    outcome = partial(records.outcome, run.run_id, leg.intent_seq)
    shell.say(Progress(Step.SENDING, f"{leg.side} {leg.symbol} {_terms_text(leg.terms)}", leg.symbol, leg.side))
    if shell.stopped():
        shell.journal.append(outcome(Event.NOT_SENT, text="paused before the first byte"))
        raise PlanStopped("paused" if shell.pause.active() else "told to stop")
    if age_s(shell.clock, looked_at) > LOOK_AGE_MAX_S:
        text = f"{leg.symbol}: the look at it is over {LOOK_AGE_MAX_S:.0f} s old by now"
        shell.journal.append(outcome(Event.NOT_SENT, text=text))
        raise PlanStopped(f"{text}; the next slot looks again")
    try:
        order_id = shell.venue.place(request)
    except Rejected as exc:
        _rejected(run, leg, exc)
        return
    except NotSent as exc:
        shell.journal.append(outcome(Event.NOT_SENT, text=str(exc)))
        raise PlanStopped(f"{leg.symbol}: not sent: {exc}") from exc
    except OutcomeUnknown as exc:
        shell.journal.append(outcome(Event.LOSE_SIGHT, text=exc.cause, t_exch=shell.venue.server_now()))
        shell.say(Progress(Step.UNKNOWN, f"what became of it is not known: {exc.cause}", leg.symbol, leg.side))
        raise PlanStopped(f"{leg.symbol}: the outcome is unknown; nothing more is sent until it is") from exc
    shell.journal.append(outcome(Event.ACCEPT, venue_order_id=order_id, t_exch=shell.venue.server_now()))
    if not settle(shell, (run.run_id, leg.intent_seq)):
        raise PlanStopped(f"{leg.symbol}: order {order_id} is not finished yet; nothing more is sent until it is")
    record = shell.journal.state.intents[run.run_id, leg.intent_seq]
    if record.state is IntentState.QUARANTINED:
        raise PlanStopped(f"{record.symbol}: {record.text}")
    run.expected.book(record)
    _require_decided_price(leg, record)


def _terms_text(terms: Terms) -> str:
    price = price_of(terms)
    return str(amount_of(terms)) if price is None else f"{amount_of(terms)} at {plain(price)} or better"


def _require_decided_price(leg: Leg, record: IntentRecord) -> None:
    """Raise PlanStopped when a fill shows, either way, that the plan was made on a wrong price."""
    if not record.filled_quantity:
        return
    paid = record.filled_quote / record.filled_quantity
    off = abs(paid - leg.mid) / leg.mid
    if off > FILL_OFF_MAX:
        text = f"{leg.symbol} was filled at {paid:.8g}, {off * 100:.1f} % from the decision's {leg.mid:.8g}"
        raise PlanStopped(f"{Deny.FILL_OFF_DECISION}: {text}; the next slot looks again")


def _rejected(run: Execution, leg: Leg, refusal: Rejected) -> None:
    """Record a definite no. It ends this intent; only a refusal of who we are ends the plan.

    That one halts too: with reads still allowed, each slot would try again and nobody would hear of it. A refused
    clock mends itself, and the next slot looks at it first.
    """
    shell = run.shell
    entries = [records.outcome(run.run_id, leg.intent_seq, Event.REJECT, text=str(refusal))]
    if refusal.code == PRECISION_CODE and isinstance(leg.terms, QuoteAmount):
        entries.append(records.learned_amount_precision(leg.symbol))
    text = f"the exchange does not accept the key for an order: {refusal}"
    halts = refusal.cause is not None and refusal.cause is not AuthCause.CLOCK
    if halts:
        entries.append(records.halt(KEY_REFUSED, text, run_id=run.run_id))
    shell.journal.append(*entries)
    shell.say(Progress(Step.REFUSED, f"rejected: {refusal}", leg.symbol, leg.side))
    if halts:
        shell.say(Progress(Step.HALTED, text, leg.symbol, leg.side))
    if refusal.cause is not None:
        raise PlanStopped(text)
