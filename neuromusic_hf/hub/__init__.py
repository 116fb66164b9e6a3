"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from .card import CARD_NAME, TAGS, Card, Section, read_card, split_card
from .markdown import address, code_block, escape, link_to, table
from .patterns import choose, files_in
from .pull import NotOnHubError, PullError, check_revision, find_file, pulled_from, resolve_commit, telling_faults
from .shipped_code import shipped_code
from .upload import is_hub_id, make_repository, push_card, push_folder

__all__ = [
    "CARD_NAME",
    "Card",
    "NotOnHubError",
    "PullError",
    "Section",
    "TAGS",
    "address",
    "check_revision",
    "choose",
    "code_block",
    "escape",
    "files_in",
    "find_file",
    "is_hub_id",
    "link_to",
    "make_repository",
    "pulled_from",
    "push_card",
    "push_folder",
    "read_card",
    "resolve_commit",
    "shipped_code",
    "split_card",
    "table",
    "telling_faults",
]
