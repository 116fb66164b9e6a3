"""What scripts share, from their first line on: it imports nothing that is slow."""

import argparse
import logging


def show_log(is_main_process: bool = True):
    """
    Shows what this package logs, a line each, and none for each request to the Hub.

    Args:
        is_main_process (`bool`, *optional*, defaults to `True`): other processes show errors alone.
    """
    logging.basicConfig(level=logging.INFO if is_main_process else logging.ERROR, format="%(message)s")
    for library in ("httpx", "httpx2"):
        logging.getLogger(library).setLevel(logging.WARNING)


def given_options(args: argparse.Namespace, prefix: str) -> list[str]:
    """
    Names the options on the command line that begin alike.

    Args:
        args (`argparse.Namespace`): of the command line, in which those that are not given are `None`.
        prefix (`str`): as in the names of attributes.
    """
    return [f"--{name}" for name, value in vars(args).items() if name.startswith(prefix) and value is not None]


def hush_transformers():
    """Has transformers tell errors alone."""
    from transformers.utils import logging as transformers_logging  # slow to import

    transformers_logging.set_verbosity_error()
