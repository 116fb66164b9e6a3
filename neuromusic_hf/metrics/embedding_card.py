"""The card of a harmony embedding: written from what it says of its training, and from the id of its repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..bundles.card_records import citation, data, versions
from ..bundles.facts import BundleFacts, told
from ..bundles.licences import strictest
from ..corpora.names import split_names
from ..disk import last_part
from ..hub import TAGS, Card, Section, code_block, escape, is_hub_id

if TYPE_CHECKING:
    from .embedding import HarmonyEmbedding

USE = """\
from neuromusic_hf.metrics import load_harmony_embedding

embedding = load_harmony_embedding("{repo_id}")
print(embedding.similarity(["I", "IV", "V", "I"], ["I", "ii", "V", "vi"]))"""

SCORE = """\
python scripts/score_continuations.py runs/x/continuations --harmony_embedding {repo_id} --output runs/x/report"""

LIMITS = """\
## Limits

- A word is music21's Roman numeral for the four pitches that sound longest in a bar: rhythm and voices are left out.
- Words that are not among those it has learned share one vector.
- Scores by two embeddings cannot be compared: say with them which one it was."""


def embedding_card(embedding: HarmonyEmbedding, repo_id: str) -> Card:
    """
    Makes the card.

    Args:
        embedding ([`HarmonyEmbedding`]): what it is for.
        repo_id (`str`): the repository that it is for.
    """
    training = embedding.training
    corpora = [each for each in told(training, list, "source", "corpora") or [] if isinstance(each, dict)]
    facts = BundleFacts(Path(), run={"corpora": corpora, "versions": told(training, dict, "versions") or {}})
    datasets = [told(corpus, str, "dataset") for corpus in corpora]
    metadata = {
        "license": strictest([told(corpus, str, "licence") for corpus in corpora] or [None]),
        "library_name": "neuromusic_hf",
        "tags": [*TAGS, "harmony", "word2vec"],
        "datasets": [dataset for dataset in datasets if dataset] or None,
    }
    texts = {
        "about": _about(embedding),
        "use": "\n\n".join(
            [
                "## Use",
                code_block(USE.format(repo_id=repo_id), "python"),
                "It is read without running code from here. To score a test run by it:",
                code_block(SCORE.format(repo_id=repo_id), "bash"),
            ]
        ),
        "data": data(facts),
        "training": _training(training),
        "limits": LIMITS,
        "versions": versions(facts),
        "citation": citation(facts),
    }
    sections = [Section(name, text) for name, text in texts.items() if text]
    return Card(escape(repo_id.rpartition("/")[2]), metadata, sections)


def public_training(training: dict[str, Any]) -> dict[str, Any]:
    """What an embedding says of its training, without a path: older ones name their corpus as it was given."""
    named = told(training, str, "source", "corpus")
    if named is None:
        return training
    names = "+".join(name if is_hub_id(name) else last_part(name) for name in split_names(named))
    return {**training, "source": {**training["source"], "corpus": names}}


def _about(embedding: HarmonyEmbedding) -> str:
    words, size = embedding.vectors.shape
    return (
        f"Word vectors of harmony: {words:,} words, {size} numbers each, for the harmony score of neuromusic_hf. A "
        "piece is the words of its bars, their chords as Roman numerals in the key that is heard, and two pieces are "
        f"compared by the mean vectors of theirs.\n\nSHA-256 of words and vectors: `{embedding.sha256}`"
    )


def _training(training: dict[str, Any]) -> str:
    counts = {name: told(training, int, name) for name in ("pieces", "bars", "rare_words")}
    said = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count is not None]
    split, dropped = told(training, str, "source", "split"), told(training, dict, "source", "dropped")
    corpus = told(training, str, "source", "corpus")
    parts = [f"Learned by gensim's Word2Vec from {', '.join(said)}" if said else "Learned by gensim's Word2Vec"]
    parts += [f" of {escape(corpus)}"] if corpus else []
    parts += [f", {escape(split)} split"] if split else []
    parts += [f"; without harmony: {_counted(dropped)}"] if dropped else []
    settings = told(training, dict, "settings")
    block = code_block(yaml.safe_dump(settings, sort_keys=False), "yaml") if settings else ""
    return f"## Training\n\n{''.join(parts)}.\n\n{block}".strip()


def _counted(dropped: dict[str, Any]) -> str:
    return ", ".join(f"{escape(str(count))} {escape(str(reason))}" for reason, count in dropped.items())
