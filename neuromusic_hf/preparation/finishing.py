"""The last stage: all of it is looked through, told, and put where it belongs; and pushing what came of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from huggingface_hub import CommitInfo

from ..corpora.card import SUMMED, SplitContents, corpus_card
from ..corpora.earlier_report import QUARANTINE, shared_report
from ..corpora.provenance import Provenance
from ..corpora.quarantine import QuarantineReport, report_of
from ..corpora.repository import DEFAULT_CONFIG
from ..corpora.splits import SPLIT_NAMES
from ..disk import read_json, to_json, user_path, write_json, write_whole
from ..hub import CARD_NAME, Card, push_folder
from .block import Block
from .identity import checked_processor
from .workplace import DATA, TOKENS, Workplace, is_finished, read_array
from .writing import shards_of

PROVENANCE, PROCESSOR = "provenance.json", "processor"
TOLD = ["midi.path", "refused_reason", "refused_detail", "mended"]


class Finish(Block):
    """
    Makes a corpus of what the tasks have written, if all of it is there. One task does it.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "finish"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """
        Writes the quarantine report, where the corpus comes from, and its card, and puts the files beside them.

        Raises:
            `RuntimeError`: rows are missing, or the tokenizer has changed since the preparation began.
        """
        work = self.preparation.work
        for path in work.folder.rglob("_*.partial"):  # of those who were killed in the midst of a file
            path.unlink()
        if not is_finished(work.folder):  # or it was stopped when it cleared up
            self._tell()
            for name in (TOKENS, DATA):  # whoever looks finds no rows before all of them are there
                if (work.made / name).is_dir():
                    (work.made / name).rename(work.folder / name)
        for path in work.used_up:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _tell(self) -> None:
        preparation, work = self.preparation, self.preparation.work
        listing = json.loads(work.listing.read_bytes())
        report = _report(preparation.corpus.name, work, listing["unread"])
        kinds = [DATA] if preparation.tokenization is None else [DATA, TOKENS]
        for kind in kinds:
            found = sum(_count(_place(work, kind) / shard.file) for shard in shards_of(work))
            if found != report.accepted:
                raise RuntimeError(f"'{work.root}' holds {found} of {report.accepted} rows of {kind}: start it again.")
        write_json(work.folder / QUARANTINE, report, ascii_only=False)
        write_json(work.folder / PROVENANCE, [preparation.provenance])
        if (processor := checked_processor(preparation)) is not None:
            processor.save_pretrained(work.folder / PROCESSOR)
        write_whole(work.folder / CARD_NAME, _card(work.folder.name, _contents(work), work.folder).render())


def push_prepared(
    folder: str | Path,
    repo_id: str,
    *,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    private: bool | None = None,
    tag: str | None = None,
) -> CommitInfo:
    """
    Pushes a folder that was prepared, as it is, with its card.

    Args:
        folder (`str` or `Path`): from [`prepare_corpus`].
        repo_id (`str`): repository; made if missing.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.
        revision (`str`, *optional*): branch to push to; made from main if missing.
        create_pr (`bool`, *optional*, defaults to `False`): open a pull request in place of committing.
        private (`bool`, *optional*): whether a new repository is; one that exists stays as it is.
        tag (`str`, *optional*): a new one, for the commit.

    Raises:
        `ValueError`: the folder is not prepared to its end; or what [`push_folder`] raises.
    """
    folder = user_path(folder)
    if not is_finished(folder):
        raise ValueError(f"'{folder}' is not prepared, or not to its end: start its preparation again.")
    contents = {split: _contents_of(sorted((folder / DATA).glob(f"{split}-*.parquet"))) for split in SPLIT_NAMES}
    files = [f"{DATA}/*.parquet", f"{TOKENS}/*.parquet"]
    report = shared_report(QuarantineReport.load(folder / QUARANTINE), repo_id)
    return push_folder(
        folder,
        repo_id,
        [*files, f"{PROCESSOR}/*"],
        commit_message="Push the corpus",
        replaces=files,
        made={QUARANTINE: json.dumps(to_json(report), indent=2, ensure_ascii=False)},
        card=partial(_card, contents=contents, folder=folder),
        repo_type="dataset",
        token=token,
        revision=revision,
        create_pr=create_pr,
        private=private,
        tag=tag,
    )


def _report(name: str, work: Workplace, unread: int) -> QuarantineReport:
    """As [`load_corpus`] makes it, of the rows of all tasks of which there is something to tell."""
    table = pa.concat_tables([_noted(work.rows(task)) for task in range(work.tasks)])
    accepted = int((read_array(work.splits) >= 0).sum())
    return dataclasses.replace(report_of(name, table), accepted=accepted, unread=unread)


def _noted(file: Path) -> pa.Table:
    with pq.ParquetFile(file) as rows:
        told = rows.read(columns=TOLD)
    mends = pc.fill_null(pc.list_value_length(told["mended"]), 0)
    return told.filter(pc.or_(told["refused_reason"].is_valid(), pc.greater(mends, 0)))


def _place(work: Workplace, kind: str) -> Path:
    """Where files lie; they may have gone where they belong before it was stopped."""
    return work.made / kind if (work.made / kind).is_dir() else work.folder / kind


def _count(path: Path) -> int:
    return pq.read_metadata(path).num_rows


def _contents(work: Workplace) -> dict[str, SplitContents]:
    shards = shards_of(work)
    return {
        split: _contents_of([work.made / DATA / shard.file for shard in shards if shard.split == split])
        for split in SPLIT_NAMES
    }


def _contents_of(files: list[Path]) -> SplitContents:
    tables = [pq.read_table(file, columns=list(SUMMED)) for file in files]
    notes, seconds = (sum(pc.sum(table[name]).as_py() for table in tables) for name in SUMMED)
    return SplitContents(sum(map(len, tables)), pq.read_schema(files[0]).names, notes, seconds)


def _card(repo_id: str, contents: dict[str, SplitContents], folder: Path) -> Card:
    report = QuarantineReport.load(folder / QUARANTINE)
    provenance = read_json(
        folder / PROVENANCE, list[Provenance], "does not say where a corpus comes from", "Prepare it again."
    )
    card = corpus_card(repo_id, DEFAULT_CONFIG, contents, report, provenance)
    configs = [_config(DEFAULT_CONFIG, DATA)]
    if (folder / PROCESSOR).is_dir():
        configs.append(_config(TOKENS, TOKENS))
    return dataclasses.replace(card, metadata={**card.metadata, "configs": configs})


def _config(name: str, kind: str) -> dict[str, Any]:
    """As the Hub and `datasets` read it."""
    files = [{"split": split, "path": f"{kind}/{split}-*"} for split in SPLIT_NAMES]
    return {"config_name": name, "data_files": files}
