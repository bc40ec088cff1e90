"""The venue of a dry run: it reads like the real one and cannot place an order."""

from __future__ import annotations

from rebalancer.core.model import PlaceRequest
from rebalancer.errors import NotSent
from rebalancer.venues.htx.client import HtxVenue


class DryHtxVenue(HtxVenue):
    """Refuses `place` before a request is even built; no layer above needs to ask which mode it is in."""

    def place(self, request: PlaceRequest) -> str:
        """Refuse."""
        raise NotSent(f"dry run: {request.side} {request.symbol} was not sent")
