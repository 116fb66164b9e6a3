"""What is written is whole or not there, by one process at a time."""

from .folder_lock import LOCK_NAME, lock_folder
from .main_process import by_main_process
from .whole import finite_json, remove_folder, size_in_mib, staged_folder, sync, sync_tree, write_whole

__all__ = [
    "LOCK_NAME",
    "by_main_process",
    "finite_json",
    "lock_folder",
    "remove_folder",
    "size_in_mib",
    "staged_folder",
    "sync",
    "sync_tree",
    "write_whole",
]
