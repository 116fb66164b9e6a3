"""The card of a corpus on the Hub: what it is, how to load it, and of each configuration what it holds and whence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow.compute as pc
from datasets import Dataset

from ..hub import TAGS, Card, Section, address, code_block, escape, link_to, read_card, table
from ..music.midi_feature import own_name
from .provenance import Provenance
from .quarantine import QuarantineReport
from .repository import DEFAULT_CONFIG
from .splits import FAMILIES, NOTES_HASH, OFFICIAL

ABOUT = "about"
USE = "use"
CORPUS = "corpus-"
"""How the names of sections begin that tell of a configuration."""

ABOUT_IT = """\
Pieces of music as MIDI files, each with what was found in it, for models of symbolic music. Made with neuromusic_hf:
files were read as players read them, what was damaged was refused or mended, and all of that is counted below.

A row holds its whole file, and no path of it is opened. To load it runs no code of this repository, so that
`trust_remote_code` is not needed."""

NAMED = 20
"""Refused files that are named; the others are counted."""

SPLITS = {
    OFFICIAL: "as the corpus itself says",
    **{
        version: f"by families (`{version}`): pieces that share their melody, in whatever key and tempo, are on one "
        "side, but for those that the corpus itself has elsewhere"
        for version in FAMILIES
    },
    NOTES_HASH: f"by the hash of a piece's notes (`{NOTES_HASH}`): copies of a piece are on one side, whatever "
    "their names",
}
SUMMED = ("num_notes", "duration")
LICENCES = {None: "not known", "other": "of its own, see there"}
COLUMNS = {
    "midi": "a standard MIDI file (`bytes`) and its name in the corpus (`path`)",
    "duration": "seconds to the end of the last note",
    "num_notes": "notes",
    "instruments": "General MIDI names, `Drums`",
    "content_hash": "of the notes: pieces of the same notes share it",
}


class TallyOfCorpus(Protocol):
    """What a tokenizer changed in a corpus, a `CorpusTally`."""

    tokenization: str
    splits: Mapping[str, Any]


@dataclass(frozen=True)
class SplitContents:
    """
    What a card says of a split.

    Args:
        pieces (`int`): rows.
        columns (`list[str]`): of a row.
        notes (`int`, *optional*): in all pieces.
        seconds (`float`, *optional*): of all pieces.
    """

    pieces: int
    columns: list[str]
    notes: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, rows: Dataset) -> SplitContents:
        """Counts them, where the rows say it."""
        names = [name for name in SUMMED if name in rows.column_names]
        columns = rows.select_columns(names).with_format("arrow")[:] if names else {}
        notes, seconds = (pc.sum(columns[name]).as_py() if name in names else None for name in SUMMED)
        return cls(len(rows), rows.column_names, notes, seconds)


def corpus_card(
    repo_id: str,
    config: str,
    splits: Mapping[str, SplitContents],
    quarantine: QuarantineReport,
    provenance: list[Provenance],
    tally: TallyOfCorpus | None = None,
    existing: str = "",
) -> Card:
    """
    Makes the card of a repository with one or more corpora, of which it tells one anew.

    Args:
        repo_id (`str`): the repository.
        config (`str`): configuration that the corpus is.
        splits (mapping of `str` to [`SplitContents`]): the corpus.
        quarantine ([`QuarantineReport`]): what became of its files.
        provenance (list of [`Provenance`]): where it comes from.
        tally (`CorpusTally`, *optional*): what a tokenizer changed in it.
        existing (`str`, *optional*): the card that is there.

    Raises:
        `ValueError`: that card is damaged.
    """
    metadata, written = read_card(existing)
    there = metadata.get("configs")
    there = [said for said in there if isinstance(said, dict)] if isinstance(there, list) else []
    configs = [str(said.get("config_name", DEFAULT_CONFIG)) for said in there] or [config]
    name = CORPUS + re.sub(r"[^\w-]", "-", config)
    others = {section.name: section for section in written if section.name.startswith(CORPUS) and section.name != name}
    told = _corpus(config, splits, quarantine, provenance, tally)
    sections = [Section(ABOUT, ABOUT_IT), Section(USE, _use(repo_id, configs)), *others.values()]
    licence = _licences(provenance, metadata.get("license") if others else None)
    return Card(
        escape(repo_id.rpartition("/")[2]), {"license": licence, "tags": list(TAGS)}, [*sections, Section(name, told)]
    )


def _licences(provenance: list[Provenance], others: Any) -> str | list[str] | None:
    """All that are known, in one word if they are one."""
    known = {corpus.licence for corpus in provenance} | set(others if isinstance(others, list) else [others])
    found = sorted(str(licence) for licence in known if licence)
    return found[0] if len(found) == 1 else found or None


def _use(repo_id: str, configs: list[str]) -> str:
    named = configs[0] if len(configs) > 1 and DEFAULT_CONFIG not in configs else None
    ours, theirs = (f', name="{named}"' if named else ""), (f', "{named}"' if named else "")
    return "\n\n".join(
        [
            "## How to load it",
            *([f"Its configurations are {', '.join(f'`{_plain(each)}`' for each in configs)}."] if named else []),
            code_block(
                "from neuromusic_hf import load_corpus\n\n"
                f'corpus = load_corpus("{repo_id}"{ours})\n'
                'print(corpus["train"][0]["midi"])  # a symusic.Score',
                "python",
            ),
            "or without neuromusic_hf:",
            code_block(
                "from pathlib import Path\n\n"
                "from datasets import load_dataset\n\n"
                f'rows = load_dataset("{repo_id}"{theirs}, split="train")\n'
                'Path("piece.mid").write_bytes(rows[0]["midi"]["bytes"])',
                "python",
            ),
        ]
    )


def _corpus(
    config: str,
    splits: Mapping[str, SplitContents],
    quarantine: QuarantineReport,
    provenance: list[Provenance],
    tally: TallyOfCorpus | None,
) -> str:
    title = "What is in it" if config == DEFAULT_CONFIG else escape(config)
    return "\n\n".join(
        [
            f"## {title}",
            table(["split", "pieces", "notes", "hours"], [[split, *_sizes(each)] for split, each in splits.items()]),
            table(["column", "what it holds"], map(_column, next(iter(splits.values())).columns)),
            "### Where it comes from",
            "\n".join(map(_origin, provenance)),
            "Whoever shares or uses it is bound by the licences of its sources.",
            *_quarantine(quarantine),
            *([] if tally is None else _tally(tally)),
            *_citations(provenance),
        ]
    )


def _sizes(split: SplitContents) -> list[str]:
    notes, seconds = split.notes, split.seconds
    counts = ["?" if notes is None else f"{notes:,}", "?" if seconds is None else f"{seconds / 3600:,.1f}"]
    return [f"{split.pieces:,}", *counts]


def _column(name: str) -> list[str]:
    return [f"`{_plain(name)}`", COLUMNS.get(name, "as the corpus has it")]


def _origin(corpus: Provenance) -> str:
    name, source = escape(corpus.name), address(corpus.source)
    licence = LICENCES.get(corpus.licence) or f"`{_plain(corpus.licence or '')}`"
    told = [f"[{name}]({source})" if source else f"**{name}**", f"licence {licence}"]
    if corpus.dataset and corpus.dataset != corpus.name:
        told.append(f"on the Hub {link_to(corpus.dataset, 'dataset')}")
    if corpus.revision:
        told.append(f"commit `{_plain(corpus.revision)}`")
    shares = (
        ""
        if corpus.split_shares is None
        else f"; shares of {' / '.join(f'{share:g}' for share in corpus.split_shares)}"
    )
    return f"- {', '.join(told)}. Splits: {SPLITS.get(corpus.splits, escape(corpus.splits))}{shares}."


def _quarantine(report: QuarantineReport) -> list[str]:
    lines = ["### What became of its files", f"{report.accepted:,} of {report.num_files:,} MIDI files were accepted."]
    if report.refused:
        lines.append(table(["refused, for", "files"], _counted(report.refused)))
        files = [f"`{_plain(own_name(file['path']))}` ({escape(file['reason'])})" for file in report.files[:NAMED]]
        more = f", and {len(report.files) - NAMED:,} more" if len(report.files) > NAMED else ""
        lines.append(f"Refused: {', '.join(files)}{more}.")
    if report.mended:
        lines.append(table(["mended, for", "files"], _counted(report.mended)))
    if report.ignored:
        lines.append(f"Other files, which were ignored: {sum(report.ignored.values()):,}.")
    if report.unread:
        lines.append(f"Not read, as a part was asked for: {report.unread:,}.")
    return lines


def _tally(tally: TallyOfCorpus) -> list[str]:
    rows = [
        [split, f"{found.changed:,} of {found.pieces:,}", escape(str(found.total))]
        for split, found in tally.splits.items()
    ]
    return [
        f"### What {escape(tally.tokenization)} changes in it",
        table(["split", "pieces changed", "changes"], rows),
    ]


def _citations(provenance: list[Provenance]) -> list[str]:
    entries = dict.fromkeys(corpus.citation.strip() for corpus in provenance if corpus.citation)
    return ["### Whom to cite", code_block("\n\n".join(entries), "bibtex")] if entries else []


def _counted(counts: Mapping[str, int]) -> list[list[str]]:
    return [[escape(reason), f"{count:,}"] for reason, count in Counter(counts).most_common()]


def _plain(name: str) -> str:
    """A name within backticks, in a cell of a table."""
    return re.sub(r"[\s|]+", " ", name.replace("`", "'"))
