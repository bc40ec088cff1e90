"""How far to go: weights to trade, so that what is outside its band returns part-way and nothing overshoots.

The sum of all movements, cash included, is zero: whatever is bought is paid by something that moves toward its own
target. Paying from assets inside their bands regardless of side would buy the next breach, and bringing one payer all
the way to its target while others stay next to their bands trades more than the closeness is worth.
"""

from __future__ import annotations

import numpy as np

from rebalancer.core.drift import BoolArray, FloatArray, frozen, outside_band

TINY = 1e-12  # of NAV: below any exchange's smallest step


def wished_moves(
    drift: FloatArray,
    bands: FloatArray,
    aims: FloatArray,
    *,
    cash: int,
    sellable: FloatArray,
    buyable: FloatArray,
    full: bool,
    edge_margin: float,
    kept_short: float = 0.0,
    leaving: BoolArray | None = None,
    outside: BoolArray | None = None,
) -> FloatArray:
    """Return the weight each asset should gain (negative: lose); all zeros when nothing is outside its band.

    `aims` is how far from its target each asset should stop; it stays `edge_margin` inside the edge of the band, so
    that the fee of the trade itself does not leave the asset outside. With `full`, every asset goes to its target.
    `sellable` and `buyable` are the most that each asset can lose or gain, as weights; where that binds, others on
    the same side of their targets take over, and where there are none, all do less. What is `leaving` is sold
    whatever the others may take: cash takes the rest of it, past its own target if need be. `kept_short` is the weight
    that cash must gain before anything is bought. `outside` names what is acted for where that is not all that is
    outside its band.
    """
    leaving = np.zeros(drift.shape, dtype=np.bool_) if leaving is None else leaving
    if outside is None:
        outside = np.abs(drift) > TINY if full else outside_band(drift, bands)
    aim = np.zeros_like(drift) if full else np.minimum(aims, np.maximum(bands - edge_margin, 0))
    reach = np.where(drift > 0, sellable, buyable)
    wanted = np.minimum(np.maximum(np.abs(drift) - aim, 0), reach)
    moves = np.where(outside, -np.sign(drift) * wanted, 0.0)
    if not np.any(moves):
        return frozen(moves)
    moves = _balanced(moves, drift, bands, cash, reach)
    left_over = max(0.0, -float(moves.sum()))
    moves[cash] += min(left_over, -float(moves[leaving & (moves < 0)].sum()))
    moves = _short_cash_first(moves, drift, cash, leaving, kept_short) if kept_short > 0 else moves
    return frozen(_shrunk_to_funds(moves, leaving))


def _balanced(moves: FloatArray, drift: FloatArray, bands: FloatArray, cash: int, reach: FloatArray) -> FloatArray:
    """Let assets on the other side of their target pay or take what is left: cash first, then those nearest to a trade.

    The others are brought to one level, the same share of the band of each, as low as it takes: whoever is below it
    already does not trade. So no fee is paid for what needs no trade yet, and none is left next to its band.
    """
    missing = float(moves.sum())  # > 0: more is bought than sold
    to_target = np.maximum(np.minimum(np.abs(drift), reach) - np.abs(moves), 0.0)
    room = np.where(np.sign(drift) == np.sign(missing), to_target, 0.0)  # to the target, never past it
    by_cash = min(float(room[cash]), abs(missing))
    room[cash] = 0.0
    taken = _levelled(abs(missing) - by_cash, np.abs(drift) - np.abs(moves), bands, room)
    taken[cash] += by_cash
    moved: FloatArray = moves - np.sign(missing) * taken
    return moved


def _short_cash_first(moves: FloatArray, drift: FloatArray, cash: int, leaving: BoolArray, short: float) -> FloatArray:
    """Let what is sold make good what cash is short of before it buys.

    Cash may pass its target by that, for the short part cannot be spent, but only where something is bought for the
    rest and all are nearer to their targets then.
    """
    sold = -float(moves[moves < 0].sum())
    room = max(0.0, -float(drift[cash])) - float(moves[leaving & (moves < 0)].sum())
    made = _with_cash_gaining(moves, cash, max(float(moves[cash]), min(short, room)), short)
    made = _shrunk_to_funds(made, leaving)
    if room < short < sold:
        beyond = _with_cash_gaining(moves, cash, short, short)
        made = beyond if np.square(drift + beyond).sum() < np.square(drift + made).sum() else made
    return made


def _with_cash_gaining(moves: FloatArray, cash: int, gains: float, short: float) -> FloatArray:
    """Return the moves with the buys cut to what is sold beyond what cash gains; to none while cash is short."""
    sold = -float(moves[moves < 0].sum())
    bought = float(moves[moves > 0].sum() - max(0.0, float(moves[cash])))
    may_buy = max(0.0, sold - gains) if gains >= short else 0.0  # cash may wish for more than is sold
    changed: FloatArray = np.where(moves > 0, moves * (min(1.0, may_buy / bought) if bought > TINY else 0.0), moves)
    changed[cash] = gains
    return changed


def _levelled(total: float, away: FloatArray, bands: FloatArray, room: FloatArray) -> FloatArray:
    """Return how much each asset does of a total, so that none goes on while another is a larger share of its band off.

    An asset `away` from its target does max(0, away - level * band), and no more than it has room for: together that
    is a line with bends as the level falls, each where an asset joins in or is done. What has no band goes first.
    """
    taken = np.zeros_like(away)
    able = room > TINY
    if total <= TINY or not able.any():
        return taken
    away, bands, room = away[able], np.maximum(bands[able], TINY), room[able]
    levels = np.sort(np.concatenate([away, away - room]) / np.tile(bands, 2))[::-1]
    done = np.clip(away - levels[:, np.newaxis] * bands, 0.0, room)
    level = float(np.interp(total, done.sum(axis=1), levels))
    taken[able] = np.clip(away - level * bands, 0.0, room)
    return taken


def _shrunk_to_funds(moves: FloatArray, leaving: BoolArray) -> FloatArray:
    """Scale down the side that has no counterpart, which happens only when some asset may not move.

    What leaves is not scaled: cash took its part of what it brings.
    """
    gained, lost = float(moves[moves > 0].sum()), float(-moves[moves < 0].sum())
    matched = min(gained, lost)
    if max(gained, lost) - matched <= TINY * len(moves):
        return moves
    firm = float(-moves[leaving].sum())
    shrunk: FloatArray = np.where(
        moves > 0,
        moves * (matched / gained if gained else 0.0),
        moves * (max(0.0, matched - firm) / (lost - firm) if lost > firm else 0.0),
    )
    shrunk[leaving] = moves[leaving]
    return shrunk
