"""Folders that results go to."""

import tempfile
from pathlib import Path


def check_output_folder(folder: str | Path):
    """
    Makes the folder where it is missing, and refuses one that cannot be written to, before there is anything to lose.

    Args:
        folder (`str` or `Path`): where results will go.

    Raises:
        `ValueError`: naming the folder and what is wrong with it.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"Cannot write to the folder {folder}: {error.strerror}. Take another one.") from error
