"""The standing list of deliberate defects: one per guard and per step of the order protocol, and who must see each.

A mutant is a text that stands exactly once in a file, and what takes its place. `simulation` hunts it over seeded
worlds; anything else is a test file. Those named in the order protocol's own study carry its words.
"""

from __future__ import annotations

from dataclasses import dataclass

SIMULATION = "simulation"


@dataclass(frozen=True)
class Mutant:
    """One defect on purpose."""

    name: str
    file: str
    old: str
    new: str
    seen_by: tuple[str, ...]


def _m(name: str, file: str, old: str, new: str, *seen_by: str) -> Mutant:
    return Mutant(
        name, f"rebalancer/{file}", old, new, tuple(f"tests/{each}" if "/" in each else each for each in seen_by)
    )


EXECUTE, RECONCILE = "service/execute.py", "service/reconcile.py"
T_EXECUTE, T_RECONCILE, T_SETTLE = "service/test_execute.py", "service/test_reconcile.py", "service/test_settle.py"
T_CYCLE, T_STARTUP, T_FLOWS = "service/test_cycle.py", "service/test_startup.py", "service/test_flows.py"
T_STRANGERS, T_PAUSE, T_GATE = "service/test_strangers.py", "service/test_pause.py", "service/test_gate.py"
T_IOC = "service/test_ioc.py"
T_PLANNER, T_PROPERTIES = "core/test_planner.py", "core/test_planner_properties.py"
T_ENGINE = "backtest/test_engine.py"
T_OWNER, T_OWNER_P = "service/test_owner.py", "core/test_owner_properties.py"
T_GUARDS, T_SIZING = "core/test_guards.py", "core/test_sizing.py"
T_LOTS, T_DEPTH, T_SMALL = "core/test_lots.py", "core/test_depth.py", "core/test_small_accounts.py"
T_STORE, T_TAMPER, T_USAGE = "journal/test_store.py", "journal/test_tampering.py", "journal/test_usage.py"
T_CLIENT, T_CODES, T_WIRE = "venues/htx/test_client.py", "venues/htx/test_codes.py", "venues/htx/test_wire.py"
T_TRANSPORT, T_SIGN = "venues/htx/test_transport.py", "venues/htx/test_sign.py"

MUTANTS: tuple[Mutant, ...] = (
    # The order protocol, step by step.
    _m("no SENDING before the wire", EXECUTE,
       "    shell.journal.append(records.sending(intent, leg, signed_at=signed_at, deadline=deadline, free_before=before))\n",
       "", T_EXECUTE),
    _m("an order is posted twice", EXECUTE,
       "        order_id = shell.venue.place(request)\n",
       "        order_id = shell.venue.place(request)\n        order_id = shell.venue.place(request)\n", SIMULATION),
    _m("SENDING taken for never sent at recovery", "service/startup.py",
       "Event.LOSE_SIGHT, text=text", "Event.NOT_SENT, text=text", T_STARTUP, SIMULATION),
    _m("an unknown outcome taken for a refusal", EXECUTE,
       "outcome(Event.LOSE_SIGHT, text=exc.cause", "outcome(Event.REJECT, text=exc.cause", SIMULATION),
    _m("not sent and unknown confused", "venues/htx/transport.py",
       "            if not tracer.writing:\n", "            if True:\n", T_TRANSPORT),
    _m("grace of 120 s", EXECUTE, "ABSENCE_S = SIGNATURE_LIFE_S + SKEW_BOUND_S + INDEX_LAG_S",
       "ABSENCE_S = 120 + 0 * (SIGNATURE_LIFE_S + SKEW_BOUND_S + INDEX_LAG_S)", SIMULATION),
    _m("one answer proves absence", RECONCILE,
       "    if len(times) < 2 or times[-1] - times[0] < APART:", "    if len(times) < 1:", T_RECONCILE),
    _m("history scan skipped", RECONCILE,
       "    ours = _of_one_id(record, scanned if found is None else [found, *scanned])",
       "    ours = _of_one_id(record, [] if found is None else [found])", T_RECONCILE, T_SETTLE, SIMULATION),
    _m("balances not part of the proof", RECONCILE,
       "    differing = _balances_differ(shell, record)\n", '    differing = ""\n', T_RECONCILE),
    _m("a look-alike order not part of the proof", RECONCILE,
       "    strange = _looks_like_ours(shell, record, scanned)\n", "    strange = None\n", T_RECONCILE),
    _m("recovery does not block planning", "service/cycle.py",
       "        if shell.journal.state.unresolved and resolve(shell, settle_s):",
       "        if False and resolve(shell, settle_s):", T_CYCLE, SIMULATION),
    _m("balances not read again before an order", "service/conserve.py",
       "        return tuple(a for a in assets if a not in balances or not self._explains(a, balances[a].total, exact=exact))",
       "        return ()", T_EXECUTE, SIMULATION),
    _m("the plan goes on after an unknown outcome", EXECUTE,
       '        raise PlanStopped(f"{leg.symbol}: the outcome is unknown; nothing more is sent until it is") from exc\n',
       "        return\n", T_EXECUTE, SIMULATION),
    _m("the plan goes on after an order that is not finished", EXECUTE,
       '        raise PlanStopped(f"{leg.symbol}: order {order_id} is not finished yet; nothing more is sent until it is")',
       "        return", T_SETTLE, SIMULATION),
    _m("fills not complete, booked all the same", "service/settle.py",
       "    if sum((fill.quantity for fill in fills), ZERO) != order.filled_quantity or not all(f.settled for f in fills):\n"
       "        return None\n", "", T_SETTLE),
    _m("an order of another shape taken for ours", "service/settle.py",
       "        if found != sent:\n", "        if False and found != sent:\n", T_RECONCILE, T_SETTLE),
    _m("an order of another time taken for ours", "service/settle.py",
       "    if not record.signed_at - CREATED_EARLY <= order.created_at <= record.signed_at + CREATED_LATE:",
       "    if False:", T_RECONCILE, T_SETTLE),
    _m("two orders of one intent unseen", RECONCILE,
       "    if len(ours) < 2:", "    if len(ours) < 3:", T_SETTLE, T_RECONCILE, SIMULATION),
    _m("strangers not looked for", "service/strangers.py",
       "    for order in ours:\n", "    for order in ours[:0]:\n", T_STRANGERS, SIMULATION),
    _m("a broken belief not looked for", "service/strangers.py",
       "    elif record.state in NEVER_WAS:", "    elif False:", T_STRANGERS),
    _m("ids are the same in every life", "core/ids.py",
       "    parts = (account_id, nonce, run,", "    parts = (account_id, run,", "core/test_ids.py", T_STRANGERS),
    # Stops.
    _m("neither pause nor stop is asked", "service/shell.py",
       "        return self.pause.active() or self.stop_requested()", "        return False", T_PAUSE, SIMULATION),
    _m("pause not asked before the first byte", EXECUTE,
       "    if shell.stopped():\n        shell.journal.append(outcome(Event.NOT_SENT",
       "    if False:\n        shell.journal.append(outcome(Event.NOT_SENT", T_PAUSE, T_EXECUTE, SIMULATION),
    _m("halts do not stop", "service/gate.py",
       "    for halt in shell.journal.state.halts.values():", "    for halt in ():", T_GATE),
    _m("an unreadable pause file counts as none", "service/pause.py",
       "        except OSError:\n            return True", "        except OSError:\n            return False", T_PAUSE),
    _m("a halted exchange is traded on", "service/gate.py",
       "    if market.state is MarketState.NORMAL:", "    if True:", T_GATE, T_CYCLE),
    _m("a wrong clock is traded by", "service/gate.py",
       "    if abs(skew_s) > SKEW_MAX_S:", "    if False:", T_GATE, T_CYCLE),
    _m("an old plan is carried out", EXECUTE, "PLAN_AGE_MAX_S = 300.0", "PLAN_AGE_MAX_S = 1e9", T_EXECUTE),
    _m("a fill far from the decision goes unseen", EXECUTE, 'FILL_OFF_MAX = Decimal("0.02")',
       'FILL_OFF_MAX = Decimal("20")', T_EXECUTE, SIMULATION),
    _m("the first plan ever goes out whole", EXECUTE,
       "        alone = not run.shell.journal.state.has_traded", "        alone = False", T_EXECUTE),
    # Balances between cycles.
    _m("balances between cycles not explained", "service/flows.py",
       "    if not first:\n        return seen\n", "    return seen\n", T_FLOWS),
    _m("vanished rows taken for a withdrawal", "service/flows.py", "    if gone:\n", "    if False:\n", T_FLOWS),
    _m("moving balances taken for a flow", "service/flows.py", "    if still != first:\n", "    if False:\n", T_FLOWS),
    # Guards of the data.
    _m("a missing balance read as zero", "core/guards.py",
       "    if asset not in snapshot.balances:\n", "    if False:\n", T_PLANNER),
    _m("no memory of prices", "core/guards.py",
       "            made += _beyond(Deny.PRICE_JUMPED", "            _beyond(Deny.PRICE_JUMPED", T_GUARDS, SIMULATION),
    _m("no peg check", "core/guards.py",
       "        made += _beyond(Deny.QUOTE_DEPEGGED", "        _beyond(Deny.QUOTE_DEPEGGED", T_GUARDS),
    _m("a stale book is believed", "core/guards.py", "BOOK_AGE_MAX_S = 30", "BOOK_AGE_MAX_S = 10**9", T_PLANNER),
    _m("a wide spread is believed", "core/guards.py", 'SPREAD_MAX = Decimal("0.01")', "SPREAD_MAX = Decimal(100)", T_PLANNER),
    _m("a last price off the mid is believed", "core/guards.py",
       'LAST_OFF_MID_MAX = Decimal("0.01")', "LAST_OFF_MID_MAX = Decimal(100)", T_PLANNER),
    _m("a crossed book is believed", "core/guards.py", "    if bid >= ask:\n", "    if False:\n", T_PLANNER),
    _m("a leveraged token is traded", "core/guards.py", "    if rules.leveraged:\n", "    if False:\n", T_PLANNER),
    # Sizes and limits.
    _m("a size is rounded up", "core/money.py",
       "        return EXACT.multiply(EXACT.divide_int(value, step), step)",
       "        return EXACT.multiply(EXACT.divide_int(value, step) + 1, step)", "core/test_money.py"),
    _m("buys not cut to the cash", "core/fit.py",
       "    wish = min(leg.size.value, free * CASH_SHARE if leg.direct is None else free)",
       "    wish = leg.size.value", T_EXECUTE, SIMULATION),
    _m("sells not cut to the balance", "core/sizing.py",
       "    quantity = floor_to_step(min(wish, free, rules.sell_quantity_max), rules.lot_size)",
       "    quantity = floor_to_step(min(wish, rules.sell_quantity_max), rules.lot_size)", T_SIZING),
    _m("the order's cap ignored", "core/legs.py",
       "wish.book_quote, wish.quote if cap is None else cap)", "wish.book_quote)", T_PROPERTIES),
    _m("the day's notional ignored", "core/caps.py",
       "    if room.notional_day_quote is not None and (sold + bought) * factor > room.notional_day_quote:",
       "    if False:", T_PROPERTIES),
    _m("the cycle's turnover ignored", "core/caps.py",
       "    if max(sold, bought) > room.turnover_quote:", "    if False:", T_PROPERTIES),
    _m("the number of orders ignored", "core/legs.py",
       "len(wanted) > room.orders or ", "", T_PLANNER),
    _m("yesterday's orders forgotten too soon", "journal/state.py",
       "        recent = [sent for sent in self.sent if sent.at > now - DAY and",
       "        recent = [sent for sent in self.sent if sent.at > now - DAY / 24 and", T_USAGE),
    _m("buys sent before sells", "core/leg_order.py",
       "        return order.wish.side is Side.BUY, -abs(order.wish.drift), order.wish.order, 0",
       "        return order.wish.side is Side.SELL, -abs(order.wish.drift), order.wish.order, 0", T_PLANNER),
    _m("a doubtful direct pair is used", "core/crosses.py",
       "            if doubt:\n", "            if False:\n", "core/test_direct.py"),
    _m("a direct leg that saves nothing is taken", "core/crosses.py",
       "            if self.saving_at(level.price) < max(least, ZERO) or", "            if", "core/test_direct.py"),
    _m("a late price of a direct pair counts as a saving", "core/crosses.py",
       "            return max(self.mid, self.sell.mid / self.buy.mid)", "            return self.sell.mid / self.buy.mid",
       "core/test_direct.py"),
    _m("a remainder below every minimum is lost", "core/direct.py",
       "        return bool(touching) and left > self._dust(asset, touching) and", "        return False and",
       "core/test_direct.py", "core/test_direct_properties.py"),
    _m("hubs meet before the coins that know nobody else", "core/routes.py",
       "    for among_hubs in (False, True):", "    for among_hubs in (True, False):", "core/test_routes.py"),
    _m("a coin that knows one hub only waits its turn", "core/routes.py",
       "(_regret(each, ways, hubs), amounts[each], each)", "(amounts[each], each)", "core/test_routes.py"),
    _m("a direct order counts on one side of the turnover", "journal/state.py",
       "if s.side is Side.BUY or s.direct", "if s.side is Side.BUY", "service/test_direct.py", T_USAGE),
    _m("a direct order is booked against the cash", "journal/state.py",
       "record.quote: -sign * record.filled_quote", '"USDT": -sign * record.filled_quote', "service/test_direct.py"),
    _m("a direct leg does not look at the coin that it spends", EXECUTE,
       "        differing = run.expected.differing((leg.asset, leg.quote), balances)",
       '        differing = run.expected.differing((leg.asset, "USDT"), balances)', "service/test_direct.py"),
    _m("slippage not looked at", "core/legs.py",
       "    return min(wish.quote, wish.book_quote,", "    return min(wish.quote,", T_DEPTH),
    _m("a book is walked past what it may cost", "core/depth.py",
       "            taken = level.quantity if beyond <= ZERO else", "            taken = level.quantity if True else", T_DEPTH),
    _m("a set of coins is passed over", "core/lots.py", "            if bound - SLACK >", "            if bound * 2 >", T_LOTS),
    _m("whole lots are tried on one side only", "core/lattice.py",
       "        over = ladder.up(centre) if under is None else ladder.above(under)",
       "        over = ladder.up(centre) if under is None else None", T_LOTS),
    _m("fewest orders are not preferred", "core/lots.py",
       "        return (every, orders, sum(quotes, ZERO),", "        return (every, 0, ZERO,", T_LOTS),
    _m("orders that help nobody who strays", "core/lots.py",
       "        if key < self._key and astray < self._astray:", "        if key < self._key:", T_LOTS),
    _m("the last order may pass its target by any amount", "core/ladder.py",
       'PAST_TARGET_MAX = Decimal("0.45")', "PAST_TARGET_MAX = Decimal(9)", T_PROPERTIES),
    _m("bands of small accounts are not widened", "core/bands.py",
       "        above=frozen(np.maximum(widths, least_above)),", "        above=widths,", T_SMALL),
    # Orders with a collar.
    _m("ioc: the collar is rounded outward", "core/collar.py",
       "    return below if below == outermost else EXACT.add(below, tick_size)", "    return below",
       "core/test_collar.py"),
    _m("ioc: a remainder taken for a failure of the whole", "service/settle.py",
       "OrderState.PARTIAL: Event.PART", "OrderState.PARTIAL: Event.CANCEL", T_IOC),
    _m("ioc: a remainder taken for unknown", "service/settle.py",
       "    if order.state is OrderState.OPEN:", "    if order.state in {OrderState.OPEN, OrderState.PARTIAL}:", T_IOC),
    _m("ioc: an order of another price taken for ours", "service/settle.py",
       '        "price": (order.price, record.price),\n', "", T_IOC),
    _m("ioc: a buy cut at the last moment is no whole lots", "core/sizing.py",
       "        return EXACT.multiply(rules.lot_size, collar)\n", "        return rules.quote_step\n",
       "core/test_collared_plans.py"),
    _m("ioc: buys go on without the sells that pay for them", "core/fit.py",
       "    left = sold_quote + max(", "    left = sold + max(", T_IOC),
    # Back-tests.
    _m("a back-test forgets the fee", "backtest/account.py",
       "    fee = floor_to_step(EXACT.multiply(received, fee_rate), BALANCE_STEP)", "    fee = ZERO", T_ENGINE),
    _m("a back-test buys at the mid", "backtest/account.py",
       "        price = EXACT.multiply(mid, ONE + half_spread)", "        price = mid", T_ENGINE),
    _m("a back-test knows the next close", "backtest/market.py",
       "        row = self.closes[at].tolist()", "        row = self.closes[min(at + 1, len(self.times) - 1)].tolist()", T_ENGINE),
    _m("a close that might be traded is passed over", "backtest/engine.py",
       "np.flatnonzero(outside.any(axis=0) |", "np.flatnonzero(outside.all(axis=0) |", T_ENGINE),
    # What the owner decided about single coins, and what is asked first.
    _m("what is kept is planned away", "core/holdings.py",
       "    return max(ZERO, held.free - targets.kept.get(held.asset, ZERO))", "    return held.free", T_OWNER_P),
    _m("what is kept is sold when it is sent", EXECUTE,
       "    free = spendable(run.targets, balances[leg.spent])\n", "    free = balances[leg.spent].free\n", T_OWNER),
    _m("a resting coin is traded", "core/wishes.py",
       "        if (asset, side) in rest:\n", "        if False:\n", T_OWNER_P, T_OWNER),
    _m("a cool-down is forgotten", "journal/state.py",
       "            trades=self._trades(now - REST_MAX),\n", "            trades={},\n", T_USAGE, T_OWNER),
    _m("a deposit is drift like any other", "core/planner.py",
       "        return Trigger.CASH_FLOW\n", "        return Trigger.OUTSIDE_BAND\n", "core/test_owner_wishes.py", T_OWNER_P),
    _m("a large change asks for nothing", "core/planner.py",
       "    denials += asked if live else ()\n", "    denials += ()\n", "core/test_owner_wishes.py", T_OWNER),
    _m("legs are not held against what the fills left of the leave", "service/execute.py",
       "    if run.plan.needs_leave:\n", "    if False:\n", T_OWNER),
    _m("what was allowed is never used up", "journal/fold.py",
       "            state.approval = state.approval.used_by(state.intents[record.key], _quote(state))\n", "            pass\n", T_USAGE, T_OWNER),
    _m("leave is for any weights", "journal/state.py",
       "self.approval.weights_digest == weights_digest\n", "True\n", T_USAGE, T_OWNER),
    _m("percents of what is elsewhere", "core/planner.py",
       "    room = room_left(targets.limits, usage, valuation.nav_here_quote)\n",
       "    room = room_left(targets.limits, usage, valuation.nav_quote)\n", T_OWNER_P),
    # Wire and journal.
    _m("an unlisted code taken for a refusal", "venues/htx/codes.py",
       "    return code in PLACE_REFUSALS", '    return code not in {"base-system-error", "timeout"}', T_CODES),
    _m("HTTP 429 on a place call taken for an answer", "venues/htx/envelope.py",
       '    if reply.status != 200:  # noqa: PLR2004\n        raise OutcomeUnknown(f"HTTP {reply.status}")\n',
       '    if reply.status == 429:  # noqa: PLR2004\n        raise Rejected("429", "too many")\n'
       '    if reply.status != 200:  # noqa: PLR2004\n        raise OutcomeUnknown(f"HTTP {reply.status}")\n', T_CODES, T_CLIENT),
    _m("accepted without an id counts as accepted", "venues/htx/envelope.py",
       "    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):",
       "    if not isinstance(order_id, str):", T_CLIENT, T_CODES),
    _m("duplicate keys are taken", "venues/htx/decode.py",
       "    if len(made) != len(pairs):\n", "    if False:\n", T_WIRE),
    _m("NaN is taken", "venues/htx/decode.py", "            parse_constant=_refuse_constant,\n", "", T_WIRE),
    _m("one row of a currency is enough", "venues/htx/wire_account.py",
       "    if free.keys() != locked.keys():\n", "    if False:\n", T_WIRE),
    _m("an unknown order state passes for open", "venues/htx/wire_orders.py",
       "_STATES.get(state_text, OrderState.UNRECOGNISED)", "_STATES.get(state_text, OrderState.OPEN)", T_WIRE, T_SETTLE),
    _m("redirects are followed", "venues/htx/transport.py", "        response = pool.handle_request(request)\n",
       "        client = httpx.Client(transport=pool, follow_redirects=True)\n"
       "        response = client.send(request, stream=True)\n", T_TRANSPORT),
    _m("where a redirect leads is read", "venues/htx/transport.py", "        response = pool.handle_request(request)\n",
       "        response = httpx.Client(transport=pool).send(request, stream=True)\n", T_TRANSPORT),
    _m("the environment's certificates are used", "venues/htx/transport.py", "trust_env=False", "trust_env=True",
       T_TRANSPORT),
    _m("the host is not signed", "venues/htx/sign.py", "{host.lower()}", "api.huobi.pro", "venues/htx/test_client.py"),
    _m("commits are not synced", "journal/schema.py", "synchronous = FULL", "synchronous = NORMAL", T_STORE),
    _m("the chain is not checked", "journal/proof.py",
       "            if not chain.is_followed_by(row):", "            if False:", T_TAMPER),
    _m("a checkpoint need not be the fold", "journal/chain.py",
       "            if row.payload_text != text_of(self.state):", "            if False:", "journal/test_sealed.py"),
    _m("a start believes a changed checkpoint", "journal/proof.py",
       "        if not is_bound(row, ", "        if False and not is_bound(row, ", "journal/test_sealed.py"),
    _m("intents are forgotten after a day", "journal/state.py",
       "KEEP = timedelta(hours=72)", "KEEP = timedelta(hours=24)", "journal/test_forgetting.py"),
    _m("a plan that ended early has served its targets", "journal/fold.py",
       '    if payload.get("whole") and', "    if", T_USAGE),
    _m("time in the journal goes back", "journal/store.py",
       "now if after.last_wall is None else max(now, after.last_wall)", "now", T_STORE),
    _m("another writer is not noticed", "journal/store.py", "        if head != self.last_seq:\n", "        if False:\n", T_STORE),
)  # fmt: skip
