"""Word vectors of harmony: what makes two harmonic reductions comparable. Saved as safetensors and JSON."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import CommitInfo
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..disk import read_json, user_path, write_json
from ..hub import PullError, check_revision, find_file, push_folder, resolve_commit
from ..hub.bounds import read_shapes, shown
from .divergences import cosine_similarity
from .embedding_card import embedding_card, public_training

VECTORS_FILE_NAME = "harmony_embedding.safetensors"
WORDS_FILE_NAME = "harmony_embedding.json"
LONGEST_VECTOR = 4096
UNKNOWN_WORD = "<unknown>"
"""Stands for every word that is not in the vocabulary. It comes first."""

SHIPPED_EMBEDDING = Path(__file__).parent / "harmony_embedding"


@dataclass(frozen=True)
class _StoredWords:
    words: list[str]
    training: dict[str, Any]


@dataclass(frozen=True, eq=False)
class HarmonyEmbedding:
    """
    A vector for each word of harmonic reductions.

    Args:
        words (`tuple[str, ...]`): `"<unknown>"`, then the words in the order of their vectors.
        vectors (`np.ndarray` of shape `(words, size)`): their vectors.
        training (`dict`, *optional*): where they come from: corpus, settings and versions, as plain JSON values.

    Raises:
        `ValueError`: words and vectors do not fit, a word comes twice, the first is not the unknown word, or a vector
            is not finite.
    """

    words: tuple[str, ...]
    vectors: np.ndarray
    training: dict = field(default_factory=dict)

    def __post_init__(self):
        vectors = np.asarray(self.vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(self.words):
            raise ValueError(f"{len(self.words)} words need as many vectors, these have shape {vectors.shape}.")
        if self.words[:1] != (UNKNOWN_WORD,) or len(set(self.words)) < len(self.words):
            raise ValueError(f"Words must be different and begin with {UNKNOWN_WORD!r}: {self.words[:3]}...")
        if not np.isfinite(vectors).all():
            raise ValueError("The vectors of a harmony embedding must be finite numbers.")
        object.__setattr__(self, "vectors", vectors)

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    @property
    def sha256(self) -> str:
        """Of its words and vectors: tells it from another that was trained with the same settings."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        return digest.hexdigest()

    def mean_vector(self, words: Iterable[str]) -> np.ndarray:
        """
        Mean of the vectors of all words, repeated ones counted as often as they come.

        Args:
            words (`Iterable[str]`): a harmonic reduction, at least one word.

        Returns:
            `np.ndarray` of shape `(size,)`.
        """
        return self.vectors[[self._indices.get(word, 0) for word in words]].mean(axis=0, dtype=np.float64)

    def similarity(self, words: Iterable[str], other_words: Iterable[str]) -> float:
        """Cosine similarity, -1 to 1, of the mean vectors of two harmonic reductions."""
        return cosine_similarity(self.mean_vector(words), self.mean_vector(other_words))

    def count_words(self, words: Iterable[str]) -> dict[str, int]:
        """How many words there are, and how many of them are unknown."""
        unknown = [word not in self._indices for word in words]
        return {"words": len(unknown), "unknown_words": sum(unknown)}

    def save_pretrained(self, folder: str | Path):
        """Writes `harmony_embedding.safetensors` and `harmony_embedding.json`; the folder is made if missing."""
        folder = user_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"vectors": np.ascontiguousarray(self.vectors)}, folder / VECTORS_FILE_NAME)
        write_json(folder / WORDS_FILE_NAME, _StoredWords(list(self.words), self.training), ascii_only=False)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, revision: str | None = None, token: str | bool | None = None
    ) -> "HarmonyEmbedding":
        """
        Reads what `save_pretrained` or `push_to_hub` wrote.

        Args:
            folder (`str` or `Path`): folder, or the name of a repository on the Hub.
            revision (`str`, *optional*): branch, tag or commit on the Hub; main if not given.
            token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

        Raises:
            `OSError`: there is no such folder or repository, it cannot be reached, or it holds no embedding.
            `ValueError`: the files do not fit together, or a folder is asked for a revision.
        """
        folder = os.path.expanduser(folder)  # ./x stays a path, and no id
        path, vectors_path = _find_files(folder, revision, token)
        remedy = "Copy or download it again, or train one with scripts/train_harmony_embedding.py."
        stored = read_json(path, _StoredWords, "does not hold the words of a harmony embedding", remedy)
        try:
            _check_vectors(vectors_path, len(stored.words))
            vectors = load_file(vectors_path)["vectors"]
            return cls(tuple(stored.words), vectors, stored.training)
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ValueError(f"{folder} holds no harmony embedding that can be read: {error}. {remedy}") from error

    def push_to_hub(self, repo_id: str, **pushing: Any) -> CommitInfo:
        """
        Pushes the embedding and a card of it to the Hub, in one commit. Words of your own in the card there stay.

        Args:
            repo_id (`str`): repository; made if missing.
            pushing:
                Of [`push_folder`]: `private`, `revision` (a branch, made if missing), `token`, `create_pr`, `tag`,
                `commit_message` and `commit_description`.

        Returns:
            [`~huggingface_hub.CommitInfo`]: with the commit and its address.

        Raises:
            [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
        """
        shared = replace(self, training=public_training(self.training))
        with tempfile.TemporaryDirectory() as staging:
            shared.save_pretrained(staging)
            return push_folder(
                staging,
                repo_id,
                [VECTORS_FILE_NAME, WORDS_FILE_NAME],
                card=lambda name: embedding_card(shared, name),
                **{"commit_message": "Upload harmony embedding"} | pushing,
            )


def _check_vectors(path: Path, words: int):
    """Raises `ValueError` where a file does not hold a vector a word alone, or longer ones than there are."""
    shapes = read_shapes(path)
    shape = shapes.get("vectors", ())
    if set(shapes) != {"vectors"} or len(shape) != 2 or shape[0] != words or shape[1] > LONGEST_VECTOR:
        most = f"of {LONGEST_VECTOR} numbers at most"
        raise ValueError(f"{words} words need as many vectors {most}, and {path} has {shown(shapes)}")


def _find_files(source: str, revision: str | None, token: str | bool | None) -> list[Path]:
    """Its words and its vectors, of one commit. Raises `OSError` where they cannot be had."""
    check_revision(source, revision)
    revision = resolve_commit(source, revision, token=token) or revision
    files = []
    for name in (WORDS_FILE_NAME, VECTORS_FILE_NAME):
        try:
            path = find_file(source, name, revision=revision, token=token)
        except PullError as error:
            raise OSError(f"There is no harmony embedding {source!r} that can be read: {error}") from error
        if path is None:
            raise FileNotFoundError(
                f"{source!r} holds no harmony embedding, as it has no {name}: give the folder or repository of one, "
                "or train one with scripts/train_harmony_embedding.py."
            )
        files.append(path)
    return files


def load_harmony_embedding(
    source: HarmonyEmbedding | str | Path | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> HarmonyEmbedding:
    """
    The embedding to score harmony with.

    Args:
        source ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            An embedding, its folder, or the name of its repository on the Hub; the one that comes with the package if
            not given.
        revision (`str`, *optional*): branch, tag or commit of a repository; main if not given.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

    Raises:
        `FileNotFoundError`: the package holds none.
        `OSError`: `source` cannot be read.
    """
    if isinstance(source, HarmonyEmbedding):
        return source
    if source is None and not SHIPPED_EMBEDDING.is_dir():
        raise FileNotFoundError(
            f"There is no harmony embedding in {SHIPPED_EMBEDDING}: train one with scripts/train_harmony_embedding.py "
            "and give its folder."
        )
    return HarmonyEmbedding.from_pretrained(SHIPPED_EMBEDDING if source is None else source, revision, token)
