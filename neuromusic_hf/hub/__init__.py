"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from .card import CARD_NAME, Card, Section, code_block, escape
from .shipped_code import shipped_code
from .upload import make_repository, push_folder

__all__ = ["CARD_NAME", "Card", "Section", "code_block", "escape", "make_repository", "push_folder", "shipped_code"]
