"""Los Angeles MIDI Dataset 3.1: about 405,000 multitrack files."""

from __future__ import annotations

import functools
import os

import huggingface_hub

from .cache import writing_cache
from .folder import FolderCorpus
from .sources import is_midi_name

REPO_ID = "projectlosangeles/Los-Angeles-MIDI-Dataset"
FILE_NAME = "Los-Angeles-MIDI-Dataset-Ver-3-1-CC-BY-NC-SA.zip"


class LamdCorpus(FolderCorpus):
    """Los Angeles MIDI Dataset 3.1 (Lev 2024; CC BY-NC-SA 4.0), split 0.6 / 0.2 / 0.2 by content.

    Without `data_dir` the archive comes from the Hub, through the cache of `huggingface_hub`. `data_dir` is the zip or
    a folder. Only MIDI files under `MIDIs/` are read; the pickles of the archive never are.
    """

    SPLIT_SHARES = (0.6, 0.2, 0.2)

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        return FILE_NAME if data_dir is None else super().source_fingerprint(data_dir)

    @functools.cached_property
    def source(self) -> str:
        if self.config.data_dir is not None:
            return self.config.data_dir
        with writing_cache(huggingface_hub.constants.HF_HUB_CACHE):
            return huggingface_hub.hf_hub_download(REPO_ID, FILE_NAME, repo_type="dataset")

    def is_candidate(self, name: str) -> bool:
        inside_midis = os.path.basename(os.path.normpath(self.config.data_dir or "")) == "MIDIs"
        return is_midi_name(name) and (inside_midis or "MIDIs" in name.split("/")[:-1])
