"""What is written is whole or not there, by one process at a time; what is read back has the shape it was given."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .folder_lock import LOCK_NAME as LOCK_NAME
    from .folder_lock import lock_folder as lock_folder
    from .hashing import hash_files as hash_files
    from .main_process import by_main_process as by_main_process
    from .output_folder import check_output_folder as check_output_folder
    from .typed_json import from_json as from_json
    from .typed_json import left_out_if_none as left_out_if_none
    from .typed_json import read_json as read_json
    from .typed_json import to_json as to_json
    from .typed_json import write_json as write_json
    from .user_paths import last_part as last_part
    from .user_paths import user_path as user_path
    from .waiting import main_process_first as main_process_first
    from .whole import remove_folder as remove_folder
    from .whole import size_in_mib as size_in_mib
    from .whole import staged_folder as staged_folder
    from .whole import sync as sync
    from .whole import sync_tree as sync_tree
    from .whole import whole_file as whole_file
    from .whole import write_file as write_file
    from .whole import write_whole as write_whole
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
