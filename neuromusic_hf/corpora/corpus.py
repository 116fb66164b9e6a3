"""`Corpus`: what `load_corpus` gives, and how it is pushed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict
from huggingface_hub import CommitInfo

from ..hub import Card, make_repository, push_card
from ..music.midi_feature import LOCAL_PATH, own_name
from .card import SplitContents, TallyOfCorpus, corpus_card
from .provenance import Provenance
from .quarantine import QuarantineReport
from .repository import DEFAULT_CONFIG


class Corpus(DatasetDict):
    """
    Train, validation and test of a corpus.

    A `DatasetDict` that knows what became of its files and where its music comes from. What `datasets` makes of it
    (`map`, `filter`, `cast_column`) is a `DatasetDict` again: make a `Corpus` of that to push it with a card.

    Args:
        splits (mapping of `str` to [`~datasets.Dataset`]): the rows, by split.
        quarantine ([`QuarantineReport`]): what became of the files.
        provenance (list of [`Provenance`]): where they come from, in the order in which corpora were joined.
    """

    def __init__(self, splits: Mapping[str, Dataset], quarantine: QuarantineReport, provenance: list[Provenance]):
        super().__init__(splits)
        self.quarantine = quarantine
        self.provenance = provenance

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = DEFAULT_CONFIG,
        *,
        tally: TallyOfCorpus | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        private: bool | None = None,
        tag: str | None = None,
        **kwargs: Any,
    ) -> CommitInfo:
        """
        Pushes the corpus as Parquet, and a card that tells what it is.

        Names of files are pushed as they are in the corpus, and no path of this machine. A push that broke off is gone
        on with by the same call. What somebody else wrote into the card stays there.

        Args:
            repo_id (`str`):
                Repository; made if missing.
            config_name (`str`, *optional*, defaults to `"default"`):
                Configuration of the repository that this corpus is to be; others there stay.
            tally (`CorpusTally`, *optional*):
                What a tokenizer changes in it, for the card: attribute `tally` of [`tokenize_corpus`]'s result.
            token (`str` or `bool`, *optional*):
                That of `hf auth login` or `HF_TOKEN` if not given.
            revision (`str`, *optional*):
                Branch to push to; made from main if missing.
            create_pr (`bool`, *optional*, defaults to `False`):
                Open a pull request in place of committing.
            private (`bool`, *optional*):
                Whether a new repository is; one that exists stays as it is.
            tag (`str`, *optional*):
                A new one, for the commit with the card.
            kwargs:
                Of `DatasetDict.push_to_hub`: `max_shard_size`, `num_proc`, `commit_message`.

        Returns:
            [`~huggingface_hub.CommitInfo`]: of the commit with the card, which follows that with the rows.

        Raises:
            `ValueError`: the repository's card is damaged, or the tag exists.
            [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
        """
        contents = {split: SplitContents.of(rows) for split, rows in self.items()}

        def card(repository: str, existing: str = "") -> Card:
            return corpus_card(repository, config_name, contents, self.quarantine, self.provenance, tally, existing)

        card(repo_id)  # what is wrong with it is found out before the rows are pushed
        repo_id = make_repository(repo_id, "dataset", private, None if create_pr else revision, token, tag)
        shared = DatasetDict({split: _with_own_names(rows) for split, rows in self.items()})
        pushed = shared.push_to_hub(
            repo_id, config_name, token=token, revision=revision, create_pr=create_pr, **kwargs
        )
        branch = pushed.pr_revision or revision
        of_repository = partial(card, repo_id)
        return push_card(repo_id, of_repository, repo_type="dataset", revision=branch, token=token, tag=tag)


def _with_own_names(rows: Dataset) -> Dataset:
    """The rows, with the names of files in place of paths that lead through this machine."""
    paths = pc.struct_field(rows.data.table["midi"], "path")
    if not pc.any(pc.match_substring_regex(paths, LOCAL_PATH.pattern)).as_py():
        return rows
    return rows.with_format("arrow").map(name_files, batched=True, features=rows.features).with_format(None)


def name_files(rows: pa.Table) -> pa.Table:
    """The same rows, of which each file has a name of its own in place of a path of this machine."""
    midi = rows["midi"].combine_chunks()
    names = pa.array((path and own_name(path) for path in midi.field("path").to_pylist()), pa.string(), size=len(midi))
    named = pa.StructArray.from_arrays([midi.field("bytes"), names], ["bytes", "path"], mask=midi.is_null())
    return rows.set_column(rows.schema.get_field_index("midi"), "midi", named)
