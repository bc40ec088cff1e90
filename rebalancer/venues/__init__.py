"""Exchanges behind one small protocol; there is one: HTX."""
