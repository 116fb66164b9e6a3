"""What is written is whole or not there, by one process at a time; what is read back has the shape it was given."""

from .folder_lock import LOCK_NAME, lock_folder
from .hashing import hash_files
from .main_process import by_main_process
from .output_folder import check_output_folder
from .typed_json import from_json, left_out_if_none, read_json, to_json, write_json
from .user_path import last_part, user_path
from .whole import remove_folder, size_in_mib, staged_folder, sync, sync_tree, whole_file, write_file, write_whole

__all__ = [
    "LOCK_NAME",
    "by_main_process",
    "check_output_folder",
    "from_json",
    "hash_files",
    "last_part",
    "left_out_if_none",
    "lock_folder",
    "read_json",
    "remove_folder",
    "size_in_mib",
    "staged_folder",
    "sync",
    "sync_tree",
    "to_json",
    "user_path",
    "whole_file",
    "write_file",
    "write_json",
    "write_whole",
]
