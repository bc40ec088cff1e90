"""Asset codes and HTX's currency codes, both ways. Pure."""

from __future__ import annotations

from collections.abc import Mapping


class CodeMap:
    """HTX names most assets as we do, in lower case; `[codes]` of the targets file names the others."""

    def __init__(self, codes: Mapping[str, str] | None = None) -> None:
        self._currency = {asset: currency.lower() for asset, currency in (codes or {}).items()}
        self._asset = {currency: asset for asset, currency in self._currency.items()}
        if len(self._asset) != len(self._currency):
            raise ValueError("two assets map to one currency code")

    def currency_of(self, asset: str) -> str:
        """Return HTX's code of an asset."""
        return self._currency.get(asset, asset.lower())

    def asset_of(self, currency: str) -> str:
        """Return our code of an HTX currency; one shadowed by `[codes]` keeps a name that no target can have."""
        mapped = self._asset.get(currency)
        if mapped is not None:
            return mapped
        name = currency.upper()
        return f"{name}@htx" if name in self._currency else name

    def symbol_of(self, base: str, quote: str) -> str:
        """Return HTX's name of a pair."""
        return self.currency_of(base) + self.currency_of(quote)
