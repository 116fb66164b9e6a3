"""
What the files of a bundle tell of it.

They may be a stranger's: what is of another kind than it should be is not told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, GENERATION_CONFIG_NAME, PROCESSOR_NAME

from ..corpora.names import split_names
from ..hub import is_hub_id
from ..hub.bounds import MOST_BYTES_OF_VOCABULARIES, read_object, read_shapes
from ..models import MusicTransformerConfig
from ..models.adapter_files import MUSIC_CONFIG_NAME
from ..tokenization.processing_midi import PROCESSOR_FILE
from .files import EXAMPLES_NAME, RECIPE_NAME, RUN_NAME, SCORES_NAME, code_files
from .pipeline_file import PIPELINE_FILES

Kind = TypeVar("Kind")

NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "hidden size": ("hidden_size", "n_embd", "d_model"),
    "attention heads": ("num_attention_heads", "n_head", "num_heads"),
    "context": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
}
"""How configs call the sizes of a model."""


@dataclass(frozen=True)
class BundleFacts:
    """
    What a bundle's files tell: plain values, and nothing where a file is missing.

    Args:
        folder (`Path`): of the bundle.
        config, generation, adapter, taught, processor, run, scores, recipe (`dict`): what the files of these hold.

    Raises (by `read`):
        `ValueError`: a file is damaged.
    """

    folder: Path
    config: dict = field(default_factory=dict)
    generation: dict = field(default_factory=dict)
    adapter: dict = field(default_factory=dict)
    taught: dict = field(default_factory=dict)
    processor: dict = field(default_factory=dict)
    run: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | Path) -> BundleFacts:
        """Reads them."""
        names = {
            "config": CONFIG_NAME,
            "generation": GENERATION_CONFIG_NAME,
            "adapter": ADAPTER_CONFIG_NAME,
            "taught": MUSIC_CONFIG_NAME,
            "processor": PROCESSOR_NAME,
            "run": RUN_NAME,
        }
        names |= {"scores": SCORES_NAME, "recipe": RECIPE_NAME}
        return cls(Path(folder), **{key: _read(Path(folder, name)) for key, name in names.items()})

    @property
    def model_type(self) -> str | None:
        """As transformers names it."""
        return told(self.config, str, "model_type")

    @property
    def sizes(self) -> dict[str, int]:
        """Of the model, by their names here."""
        found = {size: [told(self.config, int, name) for name in names] for size, names in NAMES.items()}
        return {size: next(filter(None, values)) for size, values in found.items() if any(values)}

    @property
    def context_length(self) -> int | None:
        """Tokens that the model reads."""
        return self.sizes.get("context")

    @cached_property
    def parameters(self) -> int | None:
        """Numbers in the files of weights."""
        count = 0
        for path in sorted(self.folder.glob("*.safetensors")):
            count += sum(map(math.prod, read_shapes(path).values()))
        return count or None

    @property
    def infill_share(self) -> float:
        """What share of its training tokens taught it to fill in middles; 0 where none did."""
        return told(self.taught if self.adapter else self.config, float, "infill_share") or 0.0

    @property
    def tokenization(self) -> str | None:
        """Class of the miditok tokenizer: its name in miditok, or an import path."""
        return told(self.processor, str, "miditok", "class")

    @property
    def vocabulary_hash(self) -> str | None:
        """SHA-256 of the vocabulary."""
        return told(self.processor, str, "vocabulary_hash")

    @cached_property
    def vocab_size(self) -> int | None:
        """Ids of the tokenizer, or of the model where there is none."""
        said = _read(self.folder / "tokenizer.json")
        pieces = told(said, list, "model", "vocab")  # of a Unigram model, in the order of their ids
        ids = range(len(pieces)) if pieces else (told(said, dict, "model", "vocab") or {}).values()
        added = [told(token, int, "id") for token in told(said, list, "added_tokens") or []]
        known = {index for index in [*ids, *added] if isinstance(index, int)}
        return len(known) or told(self.config, int, "vocab_size")

    @property
    def base_model(self) -> str | None:
        """Hub id of the model that this one was trained from, or changes."""
        found = told(self.adapter, str, "base_model_name_or_path") or told(self.run, str, "base_model", "name")
        return found if found and is_hub_id(found) else None

    @property
    def corpora(self) -> list[dict]:
        """What it was trained on: dictionaries of the fields of `Provenance`."""
        return [each for each in told(self.run, list, "corpora") or [] if isinstance(each, dict)]

    @property
    def before(self) -> list[tuple[str, str | None, dict]]:
        """Models on this machine that it went on from, the latest first: name, revision, and how they were trained."""
        found, said = [], told(self.run, dict, "base_model")
        while (name := told(said, str, "name")) and (trained := told(said, dict, "trained")) is not None:
            found.append((name, told(said, str, "revision"), trained))
            said = told(trained, dict, "base_model")
        return found

    @property
    def corpora_before(self) -> list[dict]:
        """What those were trained on beside its own corpora, each once."""
        said = [corpus for _, _, trained in self.before for corpus in told(trained, list, "corpora") or []]
        of_bases = {told(corpus, str, "name"): corpus for corpus in said if isinstance(corpus, dict)}
        own = {told(corpus, str, "name") for corpus in self.corpora}
        return [corpus for name, corpus in of_bases.items() if name not in own]

    @property
    def trained_on(self) -> tuple[str, str | None, str | None]:
        """Names of its corpora; of one alone, its id on the Hub and the commit."""
        names = [told(corpus, str, "name") or "?" for corpus in self.corpora]
        one = self.corpora[0] if len(names) == 1 else {}
        return " + ".join(names), told(one, str, "dataset"), told(one, str, "revision")

    @property
    def tested_on(self) -> tuple[str, str | None, str | None, str | None]:
        """
        Names of what was continued to be scored, id on the Hub and commit where they are known, and the split.

        Where pieces with a twin in train were left out, it is the clean one: `"clean_test"`.
        """
        sources = told(self.scores, list, "settings", "run", "pieces", "sources") or []
        names = " + ".join(name for source in sources for name in split_names(str(source))) or "unknown"
        trained, dataset, revision = self.trained_on
        split = told(self.scores, str, "settings", "run", "pieces", "split")
        said = [told(self.scores, dict, "settings"), told(self.scores, dict, "settings", "run", "pieces")]
        if split and any((each or {}).get("clean_test") is True for each in said):
            split = f"clean_{split}"
        return names, *((dataset, revision) if names == trained else (None, None)), split

    @property
    def scored(self) -> list[tuple[str, dict, str]]:
        """Name, score and title of what was compared, where there is a score."""
        scores = told(self.scores, dict, "scores") or {}
        return [
            (name, score, told(self.scores, str, "settings", "comparisons", name, "title") or name)
            for name, score in scores.items()
            if told(score, float, "score") is not None
        ]

    def measured(self, names: Iterable[str]) -> list[tuple[str, str, float]]:
        """What was measured of the model in training: name and split of each figure."""
        splits = {"validation": "eval", "test": "test", "clean_test": "clean_test"}
        keys = [(name, split, f"{prefix}_{name}") for split, prefix in splits.items() for name in names]
        found = [(name, split, told(self.run, float, "metrics", key)) for name, split, key in keys]
        return [(name, split, value) for name, split, value in found if value is not None]

    @property
    def examples(self) -> dict[str, list[str]]:
        """Its examples: names of their files, by what the names share."""
        folder, found = self.folder / EXAMPLES_NAME, {}
        for name in sorted(path.name for path in folder.glob("*") if path.is_file()):
            found.setdefault(name.rpartition(".")[0], []).append(f"{EXAMPLES_NAME}/{name}")
        return found

    @property
    def code(self) -> list[str]:
        """Files of the model's own code."""
        named = told(self.config, dict, "auto_map") or {}
        return [name for name in code_files(self.folder) if named and name not in _OURS]

    @property
    def needs_trust(self) -> bool:
        """Whether it loads nowhere, not even where this package is, without its own code."""
        known = {*CONFIG_MAPPING_NAMES, MusicTransformerConfig.model_type}
        return bool(self.code) and self.model_type not in known


_OURS = (*PIPELINE_FILES.values(), PROCESSOR_FILE)
"""They say where the code of this package is."""


def told(said: Any, kind: type[Kind], *path: str) -> Kind | None:
    """
    What stands in plain values under a path, if it is of a kind.

    Args:
        said: `dict` of plain values.
        kind (`type`): `str`, `int`, `float` (which whole numbers are too), `list` or `dict`.
        path (`str`): keys, one in another.
    """
    for key in path:
        said = said.get(key) if isinstance(said, dict) else None
    if kind is float and isinstance(said, int) and not isinstance(said, bool):
        return float(said)  # type: ignore[return-value]
    return said if isinstance(said, kind) and not isinstance(said, bool) else None


def _read(path: Path) -> dict:
    return read_object(path, MOST_BYTES_OF_VOCABULARIES) if path.is_file() else {}
