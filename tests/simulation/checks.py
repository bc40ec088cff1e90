"""The invariants, from outside: the exchange's truth, the bytes on the wire and the rows on disk, read by other eyes."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rebalancer.core.targets import Targets
from rebalancer.journal.store import Journal
from rebalancer.simulator.state import SimOrder
from tests.simulation import bytes_sent
from tests.simulation.balances import Balances
from tests.simulation.caps import Caps
from tests.simulation.disk import Disk
from tests.simulation.doubts import Doubts
from tests.simulation.known import NEXT, OPEN, Known
from tests.simulation.leaks import Leaks
from tests.simulation.leave import Leave
from tests.simulation.lives import Lives
from tests.simulation.network import Post, Seen
from tests.simulation.reached import in_row
from tests.simulation.refold import Refold
from tests.simulation.rows import Listed
from tests.simulation.strangers import Strangers
from tests.simulation.truth import TRADED, Truth
from tests.simulation.words import Words
from tests.simulation.world import World, must


@dataclass
class Checker:
    """Follows one disk and all that was sent."""

    world: World
    disk: Disk
    targets: Targets
    intents: dict[tuple[str, int], Known] = field(default_factory=dict)
    by_cid: dict[str, Known] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    halts: dict[int, str] = field(default_factory=dict)  # their texts
    paused: bool = False
    forgiven: set[str] = field(default_factory=set)  # client ids that an older disk or a twin forgot
    seen_seq: int = 0
    plan_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  # that the product gave
    refold: Refold = field(default_factory=Refold)
    strangers: Strangers = field(init=False)
    listed: Listed = field(init=False)
    doubts: Doubts = field(init=False)
    words: Words = field(init=False)
    balances: Balances = field(init=False)
    caps: Caps = field(init=False)
    leave: Leave = field(init=False)
    truth: Truth = field(init=False)
    lives: Lives = field(default_factory=Lives)
    leaks: Leaks = field(default_factory=Leaks)
    rereading: bool = False  # an older disk

    def __post_init__(self) -> None:
        self.words = Words(self.world)
        self.strangers, self.listed, self.doubts = Strangers(self.world), Listed(self.world), Doubts(self.world)
        self.balances, self.caps = Balances(self.world), Caps(self.world)
        self.leave, self.truth = Leave(self.world), Truth(self.world)

    def read_rows(self) -> None:
        """Take in what became durable since; I12 and the intents' own moves are checked on the way."""
        for seq, run, number, kind, payload_text, t_exch, fence in self.disk.rows(self.seen_seq):
            self.seen_seq = seq
            self.leaks.must_not_be_in(payload_text, f"row {seq}, {kind},")
            payload = json.loads(payload_text)
            self.reasons.update(in_row(kind, payload))
            self.lives.at_row(kind, run, payload, fence)
            if kind == "SNAPSHOT" and not self.rereading:
                self.balances.at_snapshot(payload)
            elif kind == "EXTERNAL_FLOW":
                self.balances.at_flow(payload, t_exch)
            self._take(kind, run, number, payload, seq)
        self.words.slept_ms = self.world.slept_ms

    def _take(self, kind: str, run: str, number: int | None, payload: dict[str, Any], seq: int) -> None:
        key = (run, number or 0)
        if kind == "PLAN":
            self._take_plan(run, payload)
        elif kind == "INTENT":
            must(key not in self.intents, "I3", f"{key} planned twice")
            known = Known(payload["client_order_id"], payload["symbol"], payload["side"], Decimal(payload["amount"]))
            known.price = payload.get("price")
            must(known.cid not in self.by_cid, "I1", f"id {known.cid} minted twice")
            known.run, known.number = key
            self.intents[key] = self.by_cid[known.cid] = known
        elif kind == "SENDING":
            known = self.intents[key]
            waiting = [other.cid for other in self.intents.values() if other.is_open]
            must(not waiting, "I12", f"{known.cid} is sent while {waiting} are open")
            must(known.state == "planned", "I2", f"{known.cid} is sent again from {known.state}")
            must(Decimal(payload["amount"]) <= known.amount, "I10", f"{known.cid} grew to {payload['amount']}")
            must(payload.get("price") == known.price, "I10", f"{known.cid} was planned at {known.price}: {payload}")
            known.state, known.sending, known.sent_in = "sending", payload, self.lives.ended
        elif kind == "HALT":
            self.halts[seq] = payload["text"]
            self.strangers.halts.append(payload["text"])
            if payload["code"] == "restored":  # what came after the backup may have been bought: asked again
                self.doubts.ask_again()
                self.listed.words.clear()
        elif kind == "OUTCOME":
            self._take_end(self.intents[key], payload, sure=payload["event"] != "quarantine")
        elif kind == "ACK" and "event" in payload:
            self._take_answer(payload, f"{run}/{number}")
            self._take_end(self.intents[key], payload, sure=False)
        elif kind == "ACK":
            self._take_answer(payload, "")
            self._take_word(payload)

    def _take_plan(self, run: str, payload: dict[str, Any]) -> None:
        self.plan_rows[run] = payload
        self.doubts.at_plan(run, payload["coins"], payload["plan"]["assets"])
        self.balances.at_plan(payload)
        if payload["mode"] == "live":
            waiting = [known.cid for known in self.intents.values() if known.is_open]
            must(not waiting, "I12", f"a plan while {waiting} are open")
            self.strangers.must_be_named({known.cid: known.state for known in self.intents.values()})
        self.listed.at_plan(payload, self.targets.assets)

    def shown(self, about: str, what: str) -> object:
        """Return what a question looks like by the rows: two are the same when all of it is."""
        if about == "order":
            run, _, number = what.rpartition("/")
            known = self.intents[run, int(number)]
            return known.state, known.moves
        if about == "plan":
            return self.plan_rows[what]["weights_digest"], self.leave.count
        if about == "halt":
            return self.halts.get(int(what))
        coin = self.doubts.coins[what]
        frozen = [coin.get(name) for name in ("since", "why")] if coin["state"] == "frozen" else []
        return [*frozen, coin.get("rowless_since"), bool(coin.get("excused"))]

    def _take_answer(self, payload: dict[str, Any], order: str) -> None:
        about = "order" if order else next(name for name in ("halt", "coin", "plan") if name in payload)
        what = order or str(payload[about])
        given = self.words.at_row(payload, self.shown(about, what), again=self.rereading)
        if about == "coin" and given is not None and "rowless_since" in self.doubts.coins[what]:
            self.listed.said(what, given.at_ms)
        self.leave.count += about == "plan"

    def _take_word(self, payload: dict[str, Any]) -> None:
        """Take in the owner's leave for a plan, or the answer about a coin or a halt."""
        if "up_to_quote" in payload:
            self.leave.given(payload["weights_digest"], payload["up_to_quote"])
        elif "coin" in payload:
            self.doubts.answered(payload["coin"])
        else:
            self.halts.pop(payload["halt"], None)

    def _take_end(self, known: Known, payload: dict[str, Any], *, sure: bool) -> None:
        if payload["event"] == "not_sent":
            left = any(post.left for post in self.posts if post.body["client-order-id"] == known.cid)
            must(not left, "I5", f"{known.cid} is said never to have left, after its first byte did")
        if not self.rereading:
            self._must_have_left(known, payload["event"])
        if payload["event"] == "find":
            found = sum(o.client_order_id == known.cid and o.state != "canceled" for o in self.ours())
            must(found < 2, "I1", f"one order is found of {known.cid}, the exchange holds {found}")
        known.state = NEXT[payload["event"]]
        known.moves += 1
        self.states[known.state] += 1
        known.filled = Decimal(payload.get("filled_quantity", known.filled))
        known.quote = Decimal(payload.get("filled_quote", known.quote))
        known.fees = {asset: Decimal(fee) for asset, fee in payload.get("fees", {}).items()} or known.fees
        if known.state in TRADED:
            self.listed.bought(known.coins()[known.side == "sell"])
            self.leave.filled(known)
        if known.state in TRADED or not sure:
            self.balances.at_end(known, payload.get("fees", {}), sure=sure)

    def _must_have_left(self, known: Known, event: str) -> None:
        """I20: the exchange spoke of an order, or might have, only if it was sent; each SENDING has its place call."""
        gone = known.cid in self.world.posted
        if event in ("accept", "reject", "find", "fill", "part", "cancel"):
            must(gone, "I20", f"{known.cid} has an answer ({event}) and was never on the wire")
        if event == "lose_sight":
            must(gone or self.lives.ended > known.sent_in, "I20", f"{known.cid} is out of sight and never was sent")

    def at_post(self, post: Post, seen: Seen) -> None:
        """Judge one place call at the instant its bytes leave."""
        self.read_rows()
        body = post.body
        cid = body["client-order-id"]
        must(cid not in self.world.posted, "I2", f"{cid} was posted twice")
        self.world.posted[cid] = post.at_ms
        self.posts.append(post)
        known = self.by_cid.get(cid)
        must(known is not None and known.state == "sending", "I3", f"{cid} is on the wire and not SENDING on disk")
        assert known is not None and known.sending is not None
        row = self.plan_rows[known.run]
        stopped = self.paused or self.world.stopping
        must(not stopped and not self.halts, "I14", f"{cid} sent while paused, told to stop or halted {self.halts}")
        bytes_sent.must_equal_rows(post, known, self.targets, row["plan"], self.world)
        bytes_sent.must_be_fresh(known, row["plan"], seen.read_ms, self.world)
        self._within_what_is_free(known, seen)
        touched_ms = max(self.world.touched_ms, self.truth.unexplained_ms(self.by_cid))
        self.balances.must_agree_at_post(known, touched_ms)
        self._within_caps(known)
        self._as_the_owner_wishes(known)
        self.leave.at_post(known, row, self.targets)
        self.doubts.at_post(known, row, self.listed.looks[-1].rows)
        bytes_sent.must_follow_no_far_fill(known, self.intents.values(), row["plan"], self.targets.quote)
        self.listed.at_post(cid, known.coins())

    def _within_caps(self, known: Known) -> None:
        """I13, on what the journal may know of: an older disk forgot some orders."""
        posts = [(post.at_ms, self.by_cid.get(post.body["client-order-id"])) for post in self.posts if post.left]
        counted = [(at_ms, each) for at_ms, each in posts if each is not None and each.sending is not None]
        value = self.value()
        if not self.balances.are_of_now:  # a plan made of what was there before cannot know better
            value = max(value, Decimal(self.plan_rows[known.run]["nav_here_quote"]))
        self.caps.at_post(known, self.targets.limits, [*counted, (self.world.true_ms, known)], value)

    def _within_what_is_free(self, known: Known, seen: Seen) -> None:
        """I11: an order takes no more than the free balance that the last look showed."""
        free = seen.free.get(known.spends(), Decimal(0))
        must(known.sent() <= free, "I11", f"{known.cid} takes {known.sent()} of {known.spends()}, {free} are free")

    def _as_the_owner_wishes(self, known: Known) -> None:
        """O1: nothing below what is kept leaves, by the exchange's own balances, and what leaves is not bought.

        One answer since the plan's look that does not lag is enough: a later one that does must not win over it.
        """
        gets, pays = known.coins()[known.side == "sell"], known.spends()
        must(gets not in self.targets.leaving, "O1", f"{known.cid} buys {gets}, which is to be sold")
        left = self.world.held(pays) - known.sent()
        known_to_us = self.world.moved_ms < self.balances.told_ms.get(pays, 0)
        kept = self.targets.kept.get(pays, Decimal(0))
        must(left >= kept or not known_to_us, "O1", f"{known.cid} leaves {left} of {pays}, {kept} are to be kept")

    def after_step(self, journal: Journal | None) -> None:
        """Hold journal and exchange against each other."""
        self.read_rows()
        if journal is not None:
            must(self.refold.of(journal) == journal.state, "I7", "the fold of the rows is not the live state")
            books = journal.state.books
            must(books is None or not books.differing(), "I8", f"the books do not add up: {books}")
        self.truth.must_be_told(self.by_cid, self.forgiven)
        if not self.open_count:
            self.balances.must_agree_at_rest(max(self.world.touched_ms, self.truth.unexplained_ms(self.by_cid)))

    def ours(self) -> list[SimOrder]:
        return self.truth.ours()

    @property
    def open_count(self) -> int:
        return sum(known.is_open for known in self.intents.values())

    def disk_was_replaced(self, listed: Listed) -> None:
        """Follow an older copy: what it forgot is forgiven as an orphan once the journal halts over it.

        `listed` is what answers had shown when it was made.
        """
        before = {known.cid for known in self.intents.values()}
        self.intents, self.by_cid, self.halts, self.plan_rows, self.seen_seq = {}, {}, {}, {}, 0
        self.strangers.forget()
        self.listed = listed.memory()  # what its old plans were made on is not to be held against what came after
        self.leave, self.doubts = Leave(self.world), Doubts(self.world, doubted=self.doubts.doubted)
        self.words.forget()
        self.balances.forget()
        self.lives.forget()
        self.rereading = True
        self.read_rows()
        self.rereading = False
        self.forgiven |= before - {known.cid for known in self.intents.values()}
        # What was posted and is planned or sending on the old disk was settled on the lost one.
        self.forgiven |= {known.cid for known in self.intents.values() if known.state in OPEN | {"planned"}}

    def value(self) -> Decimal:
        """Return what all that the owner wants weighed is worth here, what is kept and what is elsewhere left out."""
        made = Decimal(0)
        for asset in self.targets.assets:
            here = self.world.held(asset) - self.targets.kept.get(asset, Decimal(0))
            made += max(Decimal(0), here) * max(self.world.price(asset), self.doubts.price(asset))
        return made

    def holdings(self) -> dict[str, Decimal]:
        """Return what the account really has of each asset, of what the owner wants weighed."""
        targets, made = self.targets, {}
        for asset in targets.assets:
            here = max(Decimal(0), self.world.held(asset) - targets.kept.get(asset, Decimal(0)))
            made[asset] = here + targets.external.get(asset, Decimal(0))
        return made

    def distance(self, held: dict[str, Decimal]) -> Decimal:
        """Return the sum of all distances from the targets, at the exchange's own prices.

        A coin in doubt counts at its last trusted price: what it costs now, nobody told the service.
        """
        return sum((abs(weight - self.targets.fraction(a)) for a, weight in self.weights(held).items()), Decimal(0))

    def weights(self, held: dict[str, Decimal] | None = None) -> dict[str, Decimal]:
        """Return what each asset weighs; nothing does where nothing is held."""
        worth = self._worths(held or self.holdings())
        nav = sum(worth.values(), Decimal(0))
        return {asset: each / nav for asset, each in worth.items()} if nav else {}

    def share_of(self, quote: Decimal, held: dict[str, Decimal]) -> Decimal:
        """Return what part of the portfolio an amount of cash is."""
        return quote / (sum(self._worths(held).values()) or Decimal(1))

    def _worths(self, held: dict[str, Decimal]) -> dict[str, Decimal]:
        return {asset: amount * self.doubts.price(asset) for asset, amount in held.items()}

    def clone(self, disk: Disk) -> Checker:
        """Return a checker that follows a copied disk from here on."""
        other = copy.copy(self)
        other.disk, other.refold, other.strangers = disk, Refold(), self.strangers.clone()
        other.listed, other.doubts = self.listed.memory(), self.doubts.clone()
        other.intents = copy.deepcopy(self.intents)
        other.by_cid = {known.cid: known for known in other.intents.values()}
        other.posts, other.halts = list(self.posts), dict(self.halts)
        other.plan_rows, other.forgiven = dict(self.plan_rows), self.forgiven
        other.leave, other.balances, other.lives = self.leave.clone(), self.balances.clone(), self.lives.clone()
        return other
