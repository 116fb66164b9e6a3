"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from .card import CARD_NAME, Card, Section, read_card
from .markdown import code_block, escape, link_to, table
from .upload import is_hub_id, make_repository, push_card, push_folder

__all__ = [
    "CARD_NAME",
    "Card",
    "Section",
    "code_block",
    "escape",
    "is_hub_id",
    "link_to",
    "make_repository",
    "push_card",
    "push_folder",
    "read_card",
    "table",
]
