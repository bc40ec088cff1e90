"""The invariants, from outside: the exchange's truth, the bytes on the wire and the rows on disk, read by other eyes."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rebalancer.core.targets import Targets
from rebalancer.journal.store import Journal
from rebalancer.simulator.state import SimOrder
from tests.simulation.bytes_sent import PAIR_OFF_MAX, must_equal_intent
from tests.simulation.disk import Disk
from tests.simulation.doubts import DOUBTED, Doubts
from tests.simulation.known import NEXT, OPEN, Known
from tests.simulation.network import Post, Seen
from tests.simulation.reached import in_row
from tests.simulation.refold import Refold
from tests.simulation.rows import Listed
from tests.simulation.strangers import NEVER, PREFIX, Strangers
from tests.simulation.words import Words
from tests.simulation.world import EPOCH, World, must

DAY = timedelta(hours=24)
FRESH_MS, PLAN_AGE_MS = 15_000, 300_000
FILL_OFF_MAX = Fraction(2, 100)


@dataclass
class Checker:
    """Follows one disk and all that was sent."""

    world: World
    disk: Disk
    targets: Targets
    intents: dict[tuple[str, int], Known] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    halts: dict[int, str] = field(default_factory=dict)  # their texts
    paused: bool = False
    forgiven: set[str] = field(default_factory=set)  # client ids that an older disk or a twin forgot
    seen_seq: int = 0
    plan_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    allowed: dict[str, Decimal] = field(default_factory=dict)  # turnover by digest of the weights, the last leave alone
    used: Counter[str] = field(default_factory=Counter)  # quote filled since, by side
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  # that the product gave
    refold: Refold = field(default_factory=Refold)
    strangers: Strangers = field(init=False)
    listed: Listed = field(init=False)
    doubts: Doubts = field(init=False)
    words: Words = field(init=False)
    leaves: int = 0  # that were given so far
    rereading: bool = False  # an older disk

    def __post_init__(self) -> None:
        self.words = Words(self.world)
        self.strangers, self.listed, self.doubts = Strangers(self.world), Listed(self.world), Doubts(self.world)

    def read_rows(self) -> None:
        """Take in what became durable since; I12 and the intents' own moves are checked on the way."""
        for seq, run, number, kind, payload_text, _ in self.disk.rows(self.seen_seq):
            self.seen_seq = seq
            payload = json.loads(payload_text)
            self.reasons.update(in_row(kind, payload))
            self._take(kind, run, number, payload, seq)

    def _take(self, kind: str, run: str, number: int | None, payload: dict[str, Any], seq: int) -> None:
        key = (run, number or 0)
        if kind == "PLAN":
            self._take_plan(run, payload)
        elif kind == "INTENT":
            must(key not in self.intents, "I3", f"{key} planned twice")
            known = Known(payload["client_order_id"], payload["symbol"], payload["side"], Decimal(payload["amount"]))
            known.price = payload.get("price")
            must(known.cid not in {k.cid for k in self.intents.values()}, "I1", f"id {known.cid} minted twice")
            known.run = run
            self.intents[key] = known
        elif kind == "SENDING":
            known = self.intents[key]
            waiting = [other.cid for other in self.intents.values() if other.state in OPEN]
            must(not waiting, "I12", f"{known.cid} is sent while {waiting} are open")
            must(known.state == "planned", "I2", f"{known.cid} is sent again from {known.state}")
            must(Decimal(payload["amount"]) <= known.amount, "I10", f"{known.cid} grew to {payload['amount']}")
            must(payload.get("price") == known.price, "I10", f"{known.cid} was planned at {known.price}: {payload}")
            known.state, known.sending = "sending", payload
        elif kind == "HALT":
            self.halts[seq] = payload["text"]
            self.strangers.halts.append(payload["text"])
            if payload["code"] == "restored":  # what came after the backup may have been bought: asked again
                self.doubts.ask_again()
                self.listed.words.clear()
        elif kind == "OUTCOME":
            self._take_end(self.intents[key], payload)
        elif kind == "ACK" and "event" in payload:
            self._take_answer(payload, f"{run}/{number}")
            self._take_end(self.intents[key], payload)
        elif kind == "ACK":
            self._take_answer(payload, "")
            self._take_word(payload)

    def _take_plan(self, run: str, payload: dict[str, Any]) -> None:
        self.plan_rows[run] = payload
        self.doubts.at_plan(run, payload["coins"])
        if payload["mode"] == "live":
            waiting = [known.cid for known in self.intents.values() if known.state in OPEN]
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
            return self.plan_rows[what]["weights_digest"], self.leaves
        if about == "halt":
            return self.halts.get(int(what))
        names = ("state", "since", "why", "rowless_since", "excused")
        return [self.doubts.coins[what].get(name) for name in names]

    def _take_answer(self, payload: dict[str, Any], order: str) -> None:
        about = "order" if order else next(name for name in ("halt", "coin", "plan") if name in payload)
        what = order or str(payload[about])
        given = self.words.at_row(payload, self.shown(about, what), again=self.rereading)
        if about == "coin" and given is not None and "rowless_since" in self.doubts.coins[what]:
            self.listed.said(what, given.at_ms)
        self.leaves += about == "plan"

    def _take_word(self, payload: dict[str, Any]) -> None:
        """Take in the owner's leave for a plan, or the answer about a coin or a halt."""
        if "up_to_quote" in payload:
            self.allowed, self.used = {payload["weights_digest"]: Decimal(payload["up_to_quote"])}, Counter()
        elif "coin" in payload:
            self.doubts.answered(payload["coin"])
        else:
            self.halts.pop(payload["halt"], None)

    def _take_end(self, known: Known, payload: dict[str, Any]) -> None:
        if payload["event"] == "not_sent":
            left = any(post.left for post in self.posts if post.body["client-order-id"] == known.cid)
            must(not left, "I5", f"{known.cid} is said never to have left, after its first byte did")
        if payload["event"] == "find":
            found = sum(o.client_order_id == known.cid and o.state != "canceled" for o in self.ours())
            must(found < 2, "I1", f"one order is found of {known.cid}, the exchange holds {found}")
        known.state = NEXT[payload["event"]]
        known.moves += 1
        self.states[known.state] += 1
        known.filled = Decimal(payload.get("filled_quantity", known.filled))
        known.quote = Decimal(payload.get("filled_quote", known.quote))
        if known.state in ("filled", "partial"):
            self.listed.bought(known.coins()[known.side == "sell"])
            for side, amount in known.turned().items():
                self.used[side] += amount  # type: ignore[assignment]

    def at_post(self, post: Post, seen: Seen) -> None:
        """Judge one place call at the instant its bytes leave."""
        self.read_rows()
        body = post.body
        cid = body["client-order-id"]
        must(all(p.body["client-order-id"] != cid for p in self.posts), "I2", f"{cid} was posted twice")
        self.posts.append(post)
        known = next((k for k in self.intents.values() if k.cid == cid), None)
        must(known is not None and known.state == "sending", "I3", f"{cid} is on the wire and not SENDING on disk")
        assert known is not None and known.sending is not None
        stopped = self.paused or self.world.stopping
        must(not stopped and not self.halts, "I14", f"{cid} sent while paused, told to stop or halted {self.halts}")
        must_equal_intent(body, known, self.plan_rows[known.run]["plan"], self.targets, self.world)
        self._fresh(known, seen.read_ms)
        self._within_what_is_free(known, seen)
        self._within_caps(known)
        self._as_the_owner_wishes(known, seen)
        self._allowed(known)
        self.doubts.at_post(known, self.plan_rows[known.run], self.listed.looks[-1][1])
        self._after_no_far_fill(known)
        self.listed.at_post(cid, known.coins())

    def _within_what_is_free(self, known: Known, seen: Seen) -> None:
        """I11: an order takes no more than the free balance that the last look showed."""
        free = seen.free.get(known.spends(), Decimal(0))
        must(known.sent() <= free, "I11", f"{known.cid} takes {known.sent()} of {known.spends()}, {free} are free")

    def _after_no_far_fill(self, known: Known) -> None:
        """I22: a fill far from the price of its plan shows that the plan is wrong: nothing more of it is sent."""
        mids = {line["asset"]: Fraction(line["price"]) for line in self.plan_rows[known.run]["plan"]["assets"]}
        for other in self.intents.values():
            if other.run == known.run and other.filled:
                coin, priced = other.coins()
                paid, mid = Fraction(other.quote) / Fraction(other.filled), mids[coin] / mids[priced]
                most = FILL_OFF_MAX if priced == self.targets.quote else FILL_OFF_MAX + PAIR_OFF_MAX
                off = abs(paid - mid) / mid
                must(off <= most, "I22", f"{known.cid} follows {other.cid}, filled {float(off):.3f} off the decision")

    def _as_the_owner_wishes(self, known: Known, seen: Seen) -> None:
        """I18: nothing below what is kept leaves, by the exchange's own balances, and what leaves is not bought."""
        gets, pays = known.coins()[known.side == "sell"], known.spends()
        must(gets not in self.targets.leaving, "I18", f"{known.cid} buys {gets}, which is to be sold")
        left = self.world.held(pays) - known.sent()
        known_to_us = self.world.moved_ms < seen.read_ms.get("balance", 0)
        kept = self.targets.kept.get(pays, Decimal(0))
        must(left >= kept or not known_to_us, "I18", f"{known.cid} leaves {left} of {pays}, {kept} are to be kept")

    def _allowed(self, known: Known) -> None:
        """I19: a first build or a change of targets beyond a cycle's cap trades only what the owner allowed."""
        row = self.plan_rows[known.run]
        if row["trigger"] not in ("first_build", "targets_changed"):
            return
        nav, here = Decimal(row["nav_quote"]), Decimal(row["nav_here_quote"])
        counted = [line for line in row["plan"]["assets"] if line["state"] not in DOUBTED and line["asset"] != "USDT"]
        drift = [Decimal(line["drift"]) for line in counted]
        needed = max(sum(each for each in drift if each > 0), -sum(each for each in drift if each < 0)) * nav
        if needed <= self.targets.limits.max_turnover_per_cycle / 100 * here + nav / 1000:
            return
        allowed = self.allowed.get(row["weights_digest"])
        must(allowed is not None, "I19", f"{known.cid} is part of a turnover of {needed:.2f} that nobody allowed")
        for side in known.sides():
            total = self.used[side] + self._worth(known)
            must(total <= (allowed or 0), "I19", f"{known.cid} makes it {total:.2f}, {allowed} are allowed")

    def _worth(self, known: Known) -> Decimal:
        """Return the most that an order turns over at the prices of now, in USDT; coin for coin at its own word."""
        sending = known.sending or {}
        amount, notional = Decimal(sending["amount"]), Decimal(sending["notional_quote"])
        if len(known.sides()) > 1:
            return notional
        if known.side == "buy":
            return amount * Decimal(known.price or 1)
        bids, _ = self.world.market.book(known.symbol, self.world.true_ms, levels=1)
        return max(notional, amount * bids[0][0])

    def _fresh(self, known: Known, read_ms: dict[str, int]) -> None:
        now = self.world.true_ms
        for what in ("balance", f"depth{known.symbol}"):
            at = max((ms for name, ms in read_ms.items() if name.startswith(what)), default=0)
            must(now - at <= FRESH_MS, "I6", f"{known.cid}: {what} was read {now - at} ms ago")
        taken = self.plan_rows[known.run]["plan"]["taken_at"]
        age_ms = now - (datetime.fromisoformat(taken) - EPOCH).total_seconds() * 1000
        must(age_ms <= PLAN_AGE_MS + FRESH_MS, "I6", f"{known.cid}: the plan is {age_ms} ms old")

    def _within_caps(self, known: Known) -> None:
        limits, sending = self.targets.limits, known.sending or {}
        assert limits.max_notional_per_day is not None and limits.max_order_notional is not None
        notional = Decimal(sending["notional_quote"])
        must(notional <= limits.max_order_notional, "I13", f"an order of {notional}")
        since = self.world.now - DAY
        day = [
            Decimal(k.sending["notional_quote"])
            for k in self.intents.values()
            if k.sending and datetime.fromisoformat(k.sending["signed_at"]) > since and k.state != "abandoned"
        ]
        must(sum(day) <= limits.max_notional_per_day, "I13", f"{sum(day)} within a day")
        must(len(day) <= limits.max_orders_per_day, "I13", f"{len(day)} orders within a day")

    def after_step(self, journal: Journal | None) -> None:
        """Hold journal and exchange against each other."""
        self.read_rows()
        if journal is not None:
            must(self.refold.of(journal) == journal.state, "I7", "the fold of the rows is not the live state")
            books = journal.state.books
            must(books is None or not books.differing(), "I8", f"the books do not add up: {books}")
        self._orders_have_intents()
        self._ends_are_true()

    def _orders_have_intents(self) -> None:
        """I1 and I4: no order without its intent, no two for one, unless the journal already stopped over it."""
        ids = Counter(order.client_order_id for order in self.ours())
        known = {k.cid for k in self.intents.values()}
        posted = Counter(post.body["client-order-id"] for post in self.posts)
        for cid, count in ids.items():
            if cid in self.forgiven:
                continue
            must(cid in known, "I4", f"the exchange holds {cid}, the journal does not")
            twice = posted[cid]
            must(twice == 1, "I1", f"{count} order(s) of {cid}, {twice} place call(s)")

    def _ends_are_true(self) -> None:
        by_cid: dict[str, list[SimOrder]] = {}
        for order in self.ours():
            by_cid.setdefault(order.client_order_id, []).append(order)
            price, sign = order.price, 1 if order.side == "buy" else -1
            worse = [trade.price for trade in order.trades if price and sign * (trade.price - price) > 0]
            must(not worse, "I10", f"{order.client_order_id}: filled at {worse}, its price is {price}")
        for known in self.intents.values():
            found = by_cid.get(known.cid, [])
            if known.state in NEVER:
                excused = known.cid in self.forgiven | self.world.unforeseen  # I4 sees that a halt names it
                must(not found or excused, "I5", f"{known.cid} is {known.state}, but exists")
            if known.state in ("filled", "partial") and known.cid not in self.forgiven and len(found) == 1:
                real = (found[0].filled, found[0].cash)
                must((known.filled, known.quote) == real, "I5", f"{known.cid}: booked {known.filled}, real {real}")
            if known.state in ("filled", "partial"):
                must(found, "I5", f"{known.cid} is {known.state}, but does not exist")

    def ours(self) -> list[SimOrder]:
        """Return the orders with our prefix that the exchange really holds."""
        return [
            order for order in self.world.exchange.state.orders.values() if order.client_order_id.startswith(PREFIX)
        ]

    @property
    def open_count(self) -> int:
        return sum(1 for known in self.intents.values() if known.state in OPEN)

    def disk_was_replaced(self, listed: Listed) -> None:
        """Follow an older copy: what it forgot is forgiven as an orphan once the journal halts over it.

        `listed` is what answers had shown when it was made.
        """
        before = {known.cid for known in self.intents.values()}
        self.intents, self.halts, self.plan_rows, self.seen_seq = {}, {}, {}, 0
        self.strangers.forget()
        self.listed = listed.memory()  # what its old plans were made on is not to be held against what came after
        self.allowed, self.used, self.doubts = {}, Counter(), Doubts(self.world, doubted=self.doubts.doubted)
        self.words.forget()
        self.leaves, self.rereading = 0, True
        self.read_rows()
        self.rereading = False
        self.forgiven |= before - {known.cid for known in self.intents.values()}
        # What was posted and is planned or sending on the old disk was settled on the lost one.
        self.forgiven |= {known.cid for known in self.intents.values() if known.state in OPEN | {"planned"}}

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
        worth = self._worths(held)
        nav = sum(worth.values())
        if not nav:
            return Decimal(0)
        return sum((abs(worth[a] / nav - self.targets.fraction(a)) for a in held), Decimal(0))

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
        other.posts, other.halts = list(self.posts), dict(self.halts)
        other.plan_rows, other.forgiven = dict(self.plan_rows), self.forgiven
        other.allowed, other.used = dict(self.allowed), Counter(self.used)
        return other
