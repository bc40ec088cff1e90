"""I19: whatever the service writes or says is looked through for its key, its secret and its signatures."""

from __future__ import annotations

from collections import deque
from urllib.parse import unquote

from tests.canary import forms
from tests.simulation.world import ACCESS_KEY, SECRET_KEY, must

FORMS = tuple({form.lower(): name for secret in (ACCESS_KEY, SECRET_KEY) for name, form in forms(secret)}.items())
SIGNATURES_KEPT = 4


class Leaks:
    """Knows what must not be read anywhere."""

    def __init__(self) -> None:
        self._signatures: deque[str] = deque(maxlen=2 * SIGNATURES_KEPT)

    def sign(self, query: str) -> None:
        """Remember the signature of a request."""
        signature = query.partition("Signature=")[2].partition("&")[0]
        if signature:
            self._signatures += [signature.lower(), unquote(signature).lower()]

    def must_not_be_in(self, text: str, where: str) -> None:
        lowered = text.lower()
        found = [name for form, name in FORMS if form in lowered]
        must(not found, "I19", f"{where} holds the key or its secret: {found}")
        signed = any(signature in lowered for signature in self._signatures)
        must(not signed, "I19", f"{where} holds the signature of a request")
