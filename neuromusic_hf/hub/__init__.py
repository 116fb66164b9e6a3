"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from .pull import NotOnHubError, PullError, find_file, resolve_commit, telling_faults
from .upload import push_folder

__all__ = ["NotOnHubError", "PullError", "find_file", "push_folder", "resolve_commit", "telling_faults"]
