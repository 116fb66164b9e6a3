"""
Makes the bundle that comes with this package of a trained one, in a checkout.

    python -m neuromusic_hf.reports.released_bundle runs/default_narrowed --licence lieder-cc0.zip=cc0-1.0
    python -m neuromusic_hf.reports.released_bundle runs/default_narrowed --licence lieder-cc0.zip=cc0-1.0 \
        --report runs/default_narrowed/report

The first makes it, for `scripts/continue_midi.py default` to continue with; the second writes the same files again,
and with them the scores of what was continued. docs/default_model.md has all steps.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..bundles import find_bundle, write_card
from ..bundles.files import EXAMPLES_NAME, RUN_NAME
from ..bundles.shipping import save_for_shipping
from ..checkpoints.saving import replace_bundle
from ..default_bundle import DEFAULT, DEFAULT_BUNDLE
from ..disk import remove_folder, user_path, write_json, write_whole
from ..hub import CARD_NAME
from ..hub.bounds import read_object
from .pushing import add_run_report

LICENCE_FILE = DEFAULT_BUNDLE.parents[2] / "LICENSE"
"""Of this package: it is that of the weights."""

MOST_BYTES = 16_000_000
"""Of the whole folder."""

CARD_OF_OWNER = """\
---
license: apache-2.0
---

# The bundle that comes with neuromusic_hf

`pipeline("midi-continuation")` and `pipeline("midi-infilling")` play it where no model is named, and every script that
asks for a model knows it as `default`.

**Licence.** The weights are licensed as the package is (Apache-2.0, [LICENSE](LICENSE)). The music is in the
public domain, as its sources say. The encodings of bach and folk come with music21, by permission of those who made
them; those of the lieder, OpenScore's, are CC0. No music is in this folder, and no code that runs unasked.
"""


def release_bundle(
    source: str | Path,
    report: str | Path | None = None,
    licences: dict[str, str] | None = None,
    folder: str | Path = DEFAULT_BUNDLE,
):
    """
    Writes the bundle that comes with this package, with licence, scores and card: all of it, or nothing.

    Args:
        source (`str` or `Path`): folder of a training run, or of a bundle.
        report (`str` or `Path`, *optional*): of `scripts/score_continuations.py`, on what `folder` holds.
        licences (`dict`, *optional*): of corpora whose files do not tell theirs, by the names that `run.json` has.
        folder (`str` or `Path`, *optional*):
            Where to, in place of the bundle that is there, of whose card the owner's words stay; that of the package
            if not given.

    Raises:
        `ValueError`: the bundle cannot be shipped, is too large, or lies where it is to go; another model was scored;
            or a corpus has no such name, or another licence.
        `OSError`: something cannot be read or written.
    """
    source, folder = Path(find_bundle(source)), user_path(folder).resolve()
    if source.resolve() == folder:
        raise ValueError(f"{source} is the bundle that would be replaced: name the run that it was made of.")
    run = _with_licences(source / RUN_NAME, licences or {})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"_{folder.name}.", suffix=".partial") as partial:
        staged = Path(partial, folder.name)
        save_for_shipping(source, staged)
        write_json(staged / RUN_NAME, run, ascii_only=False)
        shutil.copyfile(LICENCE_FILE, staged / LICENCE_FILE.name)
        if report is not None:
            _add_scores(staged, user_path(report), source, folder)
        card = folder / CARD_NAME
        write_whole(staged / CARD_NAME, card.read_text(encoding="utf-8") if card.is_file() else CARD_OF_OWNER)
        write_card(staged, DEFAULT)
        size = sum(path.stat().st_size for path in staged.iterdir() if path.is_file())
        if size > MOST_BYTES:
            raise ValueError(f"{source} ships as {size:,} bytes, limit {MOST_BYTES:,}: ship a smaller model.")
        replace_bundle(staged, folder)


def _add_scores(staged: Path, report: Path, source: Path, folder: Path):
    try:
        add_run_report(staged, report)
    except ValueError as error:
        raise ValueError(
            f"{error} That is {source} as it ships: make it without a report, continue with {folder}, and score that."
        ) from error
    remove_folder(staged / EXAMPLES_NAME)  # sounds are larger than the weights


def _with_licences(path: Path, licences: dict[str, str]) -> dict[str, Any]:
    """The record of a run, with what it lacks."""
    run = read_object(path)
    known = {corpus["name"]: corpus for corpus in run.get("corpora", [])}
    for name, licence in licences.items():
        said = known[name]["licence"] if name in known else None
        if name not in known or said not in (None, licence):
            raise ValueError(f"{path} tells of no {name} without a licence, but of {', '.join(known)}: leave it out.")
        known[name]["licence"] = licence
    return run


def _name_and_licence(text: str) -> tuple[str, str]:
    name, separator, licence = text.rpartition("=")
    if not (separator and name and licence):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=LICENCE")
    return name, licence


def main():
    """Makes it as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="folder of a training run, or of a bundle")
    parser.add_argument("--report", help="folder that scripts/score_continuations.py wrote, on that bundle")
    parser.add_argument(
        "--licence", type=_name_and_licence, action="append", default=[], help="of a corpus, as NAME=LICENCE"
    )
    args = parser.parse_args()
    release_bundle(args.source, args.report, dict(args.licence))


if __name__ == "__main__":
    main()
