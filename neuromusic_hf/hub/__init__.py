"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .card import CARD_NAME as CARD_NAME
    from .card import TAGS as TAGS
    from .card import Card as Card
    from .card import Section as Section
    from .card import read_card as read_card
    from .card import split_card as split_card
    from .markdown import address as address
    from .markdown import code_block as code_block
    from .markdown import escape as escape
    from .markdown import link_to as link_to
    from .markdown import table as table
    from .patterns import choose as choose
    from .patterns import files_in as files_in
    from .places import pulled_from as pulled_from
    from .places import was_pulled as was_pulled
    from .pull import NotOnHubError as NotOnHubError
    from .pull import PullError as PullError
    from .pull import check_revision as check_revision
    from .pull import find_file as find_file
    from .pull import resolve_commit as resolve_commit
    from .pull import telling_faults as telling_faults
    from .shareable import without_secrets as without_secrets
    from .shipping import shipped_code as shipped_code
    from .upload import is_hub_id as is_hub_id
    from .upload import make_repository as make_repository
    from .upload import push_card as push_card
    from .upload import push_folder as push_folder
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
