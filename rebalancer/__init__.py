"""Keeps an HTX spot account near its owner's target weights, unattended."""

__version__ = "0.1.0"
