"""The Hugging Face Hub, as every room meets it: what is pushed, and what is pulled."""

from .shipped_code import shipped_code
from .upload import push_folder

__all__ = ["push_folder", "shipped_code"]
