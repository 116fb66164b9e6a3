"""Los Angeles MIDI Dataset 3.1: about 405,000 multitrack files."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import huggingface_hub

from .cache import writing_cache
from .folder import FolderCorpus
from .sources import is_midi_name

FILE_NAME = "Los-Angeles-MIDI-Dataset-Ver-3-1-CC-BY-NC-SA.zip"


class LamdCorpus(FolderCorpus):
    """
    Los Angeles MIDI Dataset 3.1 (Lev 2024; CC BY-NC-SA 4.0), split 0.6 / 0.2 / 0.2 by content.

    Without `data_dir` the archive comes from the Hub, through the cache of `huggingface_hub`. `data_dir` is the zip or
    a folder. Only MIDI files under `MIDIs/` are read; the pickles of the archive never are.
    """

    SPLIT_SHARES = (0.6, 0.2, 0.2)
    LICENCE = "cc-by-nc-sa-4.0"
    DATASET = "projectlosangeles/Los-Angeles-MIDI-Dataset"
    SOURCE = "https://huggingface.co/datasets/projectlosangeles/Los-Angeles-MIDI-Dataset"
    CITATION = """\
@inproceedings{lev2024losangelesmididataset,
  title = {Los Angeles MIDI Dataset: SOTA kilo-scale MIDI dataset for MIR and Music AI purposes},
  author = {Aleksandr Lev},
  booktitle = {GitHub},
  year = {2024},
}"""

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        """The name of the archive on the Hub, or the fingerprint of a local copy."""
        return FILE_NAME if data_dir is None else super().source_fingerprint(data_dir)

    @functools.cached_property
    def source(self) -> str:
        """Path of the archive or folder; without `data_dir` it is downloaded."""
        if self.config.data_dir is not None:
            return self.config.data_dir
        with writing_cache(huggingface_hub.constants.HF_HUB_CACHE):
            return huggingface_hub.hf_hub_download(self.DATASET, FILE_NAME, repo_type="dataset", token=self.token)

    def is_candidate(self, name: str) -> bool:
        """Whether it is a MIDI file under `MIDIs/`."""
        return is_midi_name(name) and (self._is_inside_midis or "MIDIs" in name.split("/")[:-1])

    @functools.cached_property
    def _is_inside_midis(self) -> bool:
        """Whether `data_dir` is a part of that folder, also by a link."""
        path = self.config.data_dir
        return path is not None and "MIDIs" in (*Path(path).parts, *Path(os.path.realpath(path)).parts)
