"""The bundle that comes with this package: what it is called, and where it lies."""

import os
from pathlib import Path

DEFAULT = "default"
"""What it is called wherever a model is named."""

DEFAULT_BUNDLE = Path(__file__).parent / "bundles" / DEFAULT
"""Its folder."""


def place_of(name: str | Path) -> str | Path:
    """
    Where a model or processor lies: the folder of the bundle that comes with this package, where that is meant.

    Args:
        name (`str` or `Path`): `"default"`, unless there is a folder of that name, or that bundle's folder here or in
            another installation of this package, as adapters record it. Any other name stays as it is.

    Raises:
        `FileNotFoundError`: that bundle is meant, and is missing.
    """
    means_it = str(name) == DEFAULT or _is_of_an_installation(name)
    if not means_it or (os.path.isdir(name) and not is_default(name)):
        return name
    if not Path(DEFAULT_BUNDLE, "config.json").is_file():
        raise FileNotFoundError(
            f"The bundle that comes with neuromusic_hf is not there: {DEFAULT_BUNDLE} holds no config.json. Install "
            "the package again, or name a model of your own."
        )
    return str(DEFAULT_BUNDLE)


def recorded_name(place: str | Path) -> str:
    """What a model is recorded as: `"default"` of the bundle that comes with this package, wherever that lies."""
    return DEFAULT if is_default(place) else str(place)


def is_default(place: str | Path) -> bool:
    """Whether a path is the folder of the bundle that comes with this package."""
    return os.path.realpath(place) == os.path.realpath(DEFAULT_BUNDLE)


def _is_of_an_installation(name: str | Path) -> bool:
    return os.path.isabs(name) and Path(name).parts[-3:] == DEFAULT_BUNDLE.parts[-3:]
