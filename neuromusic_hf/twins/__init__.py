"""Twins: pieces that share their melody up to key and tempo."""

from .families import Twin, families

__all__ = ["Twin", "families"]
