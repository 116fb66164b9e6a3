"""All that a prepared corpus depends on, and what is told where some of it has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from datasets.fingerprint import Hasher

from ..corpora.code_identity import code_of_classes, code_of_rooms
from ..corpora.splits import OFFICIAL
from ..hub import CARD_NAME
from .configuration import Preparation
from .workplace import Workplace, is_finished, write_json_whole

if TYPE_CHECKING:
    from ..tokenization import MidiProcessor

logger = logging.getLogger(__name__)

ROOMS = ("borders", "preparation", "tokenization", "twins")
"""Whose code the result depends on, beside that of the builder."""

PACKAGES = ("neuromusic_hf", "datasets", "miditok", "numpy", "pyarrow", "symusic", "tokenizers")
PACKAGE_CODE, CORPUS_CODE, TOKENIZER_CODE = "neuromusic_hf", "the corpus", "the tokenizer"
SOURCE, VOCABULARY, CODE, VERSIONS = "source", "vocabulary", "code", "versions"


def claim(preparation: Preparation) -> None:
    """
    Writes down what the folder is for, or compares it with what stands there.

    Raises:
        `ValueError`: that is something else.
    """
    work, wanted = preparation.work, identity_of(preparation)
    if work.configuration.is_file():
        return _check_same(work, wanted)
    if (work.folder / CARD_NAME).exists() or next(work.folder.rglob("*.parquet"), None) is not None:
        raise ValueError(f"'{work.folder}' holds a dataset that was not prepared here: take another folder.")
    write_json_whole(work.configuration, wanted)


def identity_of(preparation: Preparation) -> dict[str, Any]:
    """All that the result depends on, and the number of tasks, by which the work is cut."""
    code, vocabulary = _code(preparation), None
    if (processor := preparation.processor()) is not None:
        vocabulary = _vocabulary(processor)
        code[TOKENIZER_CODE] = _tokenizer_code(processor)
    return {
        "corpus": preparation.corpus.public_name,
        "limits": asdict(preparation.limits),
        "max_pieces": preparation.max_pieces,
        "splits": preparation.provenance.splits,
        "split_shares": None if preparation.provenance.splits == OFFICIAL else list(preparation.shares),
        "tasks": preparation.work.tasks,
        "max_shard_bytes": preparation.max_shard_bytes,
        "tokenization": preparation.tokenization,
        "tokenization_revision": preparation.tokenization_revision,
        SOURCE: preparation.fingerprint,
        VOCABULARY: vocabulary,
        CODE: code,
        VERSIONS: _versions(),
    }


def check_code(preparation: Preparation) -> None:
    """
    Refuses to go on with other code: a task of a cluster runs what is installed there when its turn comes.

    Raises:
        `RuntimeError`: naming what has changed.
    """
    there = _read(preparation.work)
    if not is_finished(preparation.work.folder) and (changed := _changed_code(there, _code(preparation))):
        raise RuntimeError(_other_code(preparation.work, changed))


def check_source(preparation: Preparation) -> None:
    """
    Refuses a source that has changed since it was begun, of which some files may have been read before that.

    Raises:
        `RuntimeError`: saying what to do.
    """
    corpus, folder = preparation.corpus, preparation.work.folder
    if preparation.builder_class.source_fingerprint(corpus.place) != preparation.fingerprint:
        raise RuntimeError(
            f"Files of '{corpus.place or corpus.name}' were added, removed or changed after its preparation in "
            f"'{folder}' began, and nobody knows which of them it has read. Remove that folder or take another one, "
            "start again, and leave the files as they are until all are read."
        )


def checked_processor(preparation: Preparation) -> MidiProcessor | None:
    """
    What tokenises the corpus, made anew, and still what it was when it began.

    Raises:
        `RuntimeError`: it is another.
    """
    processor, there = preparation.processor(), _read(preparation.work)
    if processor is not None:
        now = {TOKENIZER_CODE: _tokenizer_code(processor)}
        if changed := _changed_vocabulary(there, _vocabulary(processor)) or _changed_code(there, now):
            raise RuntimeError(_other_code(preparation.work, changed))
    return processor


def _check_same(work: Workplace, wanted: Mapping[str, Any]) -> None:
    there = _read(work)
    asked = wanted.keys() - {SOURCE, VOCABULARY, CODE, VERSIONS}
    if other := [name for name in wanted if name in asked and there.get(name) != wanted[name]]:
        told = "; ".join(f"{name} was {there.get(name)!r} and is {wanted[name]!r}" for name in other)
        raise ValueError(
            f"'{work.folder}' is being prepared, or was, from something else: {told}. Ask for the same to go on, "
            "or take another folder."
        )
    if there[SOURCE] != wanted[SOURCE]:
        raise ValueError(
            f"'{work.folder}' is being prepared, or was, from files of which some were added, removed or changed "
            "since: take another folder for what they are now, or remove this one."
        )
    changed = _changed_vocabulary(there, wanted[VOCABULARY]) or _changed_code(there, wanted[CODE])
    if changed and not is_finished(work.folder):
        raise ValueError(_other_code(work, changed))
    if changed:
        logger.warning("'%s' is prepared, and stays what it is: since then %s.", work.folder, changed)


def _changed_code(there: Mapping[str, Any], code: Mapping[str, str]) -> str:
    """What is told of packages of other versions, or else of code that was changed; nothing if there is none."""
    versions = _versions()
    told = [f"{name} was {there[VERSIONS].get(name)} and is {now}" for name, now in versions.items()]
    changed = [
        each for each, (name, now) in zip(told, versions.items(), strict=True) if there[VERSIONS].get(name) != now
    ]
    edited = [f"the code of {name} was changed" for name, now in code.items() if there[CODE].get(name) != now]
    return "; ".join(changed or edited)


def _changed_vocabulary(there: Mapping[str, Any], vocabulary: str | None) -> str:
    return "" if there[VOCABULARY] == vocabulary else f"the vocabulary of '{there['tokenization']}' was changed"


def _other_code(work: Workplace, changed: str) -> str:
    begun = ", ".join(f"{name} {number}" for name, number in _read(work)[VERSIONS].items())
    return (
        f"'{work.folder}' cannot go on with other code than it began with, or it would be of two kinds: {changed}. "
        f"Bring back what it began with ({begun}), on all machines, or prepare the corpus in another folder."
    )


def _read(work: Workplace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(work.configuration.read_bytes())
    return found


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def _code(preparation: Preparation) -> dict[str, str]:
    builder = preparation.builder_class
    code = {PACKAGE_CODE: Hasher.hash(code_of_rooms(*ROOMS))}
    # A class of the script that was started comes to other machines with its code, as no module there has it.
    return code if builder.__module__ == "__main__" else {**code, CORPUS_CODE: builder._code_hash()}


def _vocabulary(processor: MidiProcessor) -> str:
    return Hasher.hash(json.dumps(processor.miditok))


def _tokenizer_code(processor: MidiProcessor) -> str:
    from miditok import MusicTokenizer  # slow to import

    return Hasher.hash(code_of_classes(type(processor.music_tokenizer), MusicTokenizer))
