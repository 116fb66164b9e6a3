"""`MidiProcessor`: MIDI in, token ids out, and back."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from datasets import Dataset
from miditok import MusicTokenizer
from symusic import Tempo
from symusic.core import ScoreTick
from transformers import AutoProcessor, BatchEncoding, PreTrainedTokenizerFast, ProcessorMixin

from ..default_bundle import place_of
from ..disk import user_path, write_whole
from ..hub import resolve_commit, shipped_code, telling_faults
from ..hub.pull import OF_REPOSITORY, given
from ..music import AnyScore, load_score
from ..music.score_arrays import ScoreArrays
from .checks import check_plain, check_rebuilt, check_saved, check_usable
from .coders import Coders
from .fast_tokenizer import to_fast_tokenizer, vocabulary_hash
from .infill_tokens import INFILL_TOKENS, InfillIds, add_infill_tokens, find_infill_ids
from .miditok_file import HUB_ARGUMENTS, find_miditok_file, load_miditok_file
from .music_decoding import MusicDecoder
from .music_encoding import MusicEncoder
from .music_tokenizer import (
    create_music_tokenizer,
    music_tokenizer_from_dict,
    music_tokenizer_to_dict,
    what_ids_depend_on,
)
from .saved_files import load_text_tokenizer, read_saved_processor
from .tally import Tally
from .text_steps import check_same_steps
from .vocabulary_training import train_music_tokenizer

LOCAL_FACTS = ("is_local", "local_files_only", "name_or_path", "token", "cache_dir")
"""What a fast tokenizer remembers of where it was loaded: nobody else's business."""

MidiInput = str | Path | bytes | dict | AnyScore

PROCESSOR_FILE = "processing_midi.py"
PROCESSOR_CODE = shipped_code("neuromusic_hf.tokenization", "MidiProcessor")
AUTO_MAP = {"AutoProcessor": "processing_midi.MidiProcessor"}
"""Which file beside `processor_config.json` holds the class. Without it, `AutoProcessor` gives in silence a tokenizer
where this package is not imported."""


class MidiProcessor(ProcessorMixin):
    r"""
    Turns MIDI into the ids a causal language model reads, and ids back into a [`symusic.Score`].

    It wraps a miditok tokenizer (which knows music) and a plain fast tokenizer with the same ids (which any Hugging
    Face tool loads, over miditok's token text). Both are saved beside the model's weights.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]):
            The plain tokenizer: ids to and from token text such as `"Bar_None Position_0 Pitch_60"`, and padding.
        miditok (`dict`):
            What rebuilds the miditok tokenizer: class, whole config, versions, trained model.
        vocabulary_hash (`str`, *optional*):
            SHA-256 of miditok's vocabulary, to which the ids belong; that of `tokenizer` is compared in any case.

    Tokens may be added to `tokenizer`, behind miditok's. They stand for no music: decoding leaves them out. New
    vocabularies have four of infilling (`INFILL_TOKENS`); those of saved tokenizers get them by `add_infill_tokens`.

    Raises:
        `ValueError`: the miditok tokenizer does not write a piece as one sequence of ids with BOS and EOS; or the
            installed miditok, or `tokenizer`, has another vocabulary than `vocabulary_hash`.

    Example:
    ```py
    >>> from neuromusic_hf import MidiProcessor, write_midi
    >>> processor = MidiProcessor.from_tokenization("REMI")
    >>> batch = processor(["song.mid", "other.mid"], padding=True, return_tensors="pt")
    >>> score = processor.decode(batch["input_ids"][0])
    >>> write_midi(score, "back.mid")
    ```
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, miditok: dict | None = None, vocabulary_hash: str | None = None
    ):
        super().__init__(tokenizer)
        if miditok is None:
            raise ValueError(
                f"{tokenizer.name_or_path or 'This'!r} is no MidiProcessor: it has neither the processor_config.json "
                "of one, nor a tokenizer.json of miditok's own."
            )
        self.music_tokenizer = music_tokenizer_from_dict(miditok)
        check_usable(self.music_tokenizer)
        rebuilt = to_fast_tokenizer(self.music_tokenizer)
        self.vocabulary_hash = check_rebuilt(rebuilt, vocabulary_hash, miditok)
        check_plain(tokenizer, len(self.music_tokenizer), self.vocabulary_hash)
        check_same_steps(tokenizer, rebuilt)
        self.miditok = miditok
        self._made_of = what_ids_depend_on(self.music_tokenizer)
        self._coders = Coders()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, *, trust_remote_code: bool | None = False, **kwargs
    ) -> "MidiProcessor":
        """
        Loads a processor that was saved, or wraps a miditok tokenizer that was.

        All that its files name is checked before it is made, and code runs only where you ask for it.

        Args:
            pretrained_model_name_or_path (`str` or `Path`):
                Folder or Hub id of a saved processor; or of miditok's own `tokenizer.json`, or that file itself,
                whatever its name. `"default"` is that of the bundle that comes with this package.
            trust_remote_code (`bool`, *optional*, defaults to `False`):
                Import the tokenizer's class, where it is not miditok's and your process does not have it yet.
            kwargs: that say where files come from (`revision`, `subfolder`, `token`, `local_files_only`, ...).

        Raises:
            `ValueError`: a file is damaged, or does not fit, as in [`MidiProcessor`]; or it is too large, or names a
                class that would have to be imported.
            `OSError`: there is no such file, folder or repository, or it cannot be pulled from the Hub.
        """
        named = place_of(pretrained_model_name_or_path)
        source = user_path(named)
        source = source if source.exists() else named
        where = given(kwargs, HUB_ARGUMENTS)
        if commit := resolve_commit(source, where.get("revision"), **given(where, OF_REPOSITORY)):
            where["revision"] = commit
        if path := find_miditok_file(source, **where):
            return cls.from_music_tokenizer(load_miditok_file(path, bool(trust_remote_code)))
        saved = read_saved_processor(str(source), bool(trust_remote_code), **where)
        with telling_faults(source, **where):
            tokenizer = load_text_tokenizer(str(source), **where)
        try:
            return cls(tokenizer, **saved)
        except ValueError as error:
            raise ValueError(f"The processor of {source} is none: {error}") from error

    @classmethod
    def from_tokenization(cls, name: str = "REMI", **settings) -> "MidiProcessor":
        """
        Creates a processor with an untrained vocabulary, and the four tokens of infilling behind it.

        Args:
            name (`str`, *optional*, defaults to `"REMI"`):
                `"REMI"`, `"TSD"`, `"Structured"`, another single-stream class of miditok, or the import path of a
                subclass of `miditok.MusicTokenizer`.
            settings:
                Arguments of `miditok.TokenizerConfig` that replace the project's
                (`neuromusic_hf.tokenization.FIELD_SETTINGS`).

        Raises:
            `ValueError`: the name is unknown, or the tokenizer does not write one sequence of ids.
        """
        return cls._new(create_music_tokenizer(name, **settings))

    @classmethod
    def from_music_tokenizer(cls, music_tokenizer: MusicTokenizer) -> "MidiProcessor":
        """
        Wraps a miditok tokenizer that exists already, trained or not. Its ids stay as they are.

        Raises:
            `ValueError`: it does not write a piece as one sequence of ids with BOS and EOS, or was changed in a way
                that miditok does not save.
        """
        check_usable(music_tokenizer)
        saved = music_tokenizer_to_dict(music_tokenizer)
        check_saved(music_tokenizer_from_dict(saved), music_tokenizer)
        tokenizer = to_fast_tokenizer(music_tokenizer)
        return cls(tokenizer, saved, vocabulary_hash(tokenizer.get_vocab()))

    @classmethod
    def _new(cls, music_tokenizer: MusicTokenizer) -> "MidiProcessor":
        processor = cls.from_music_tokenizer(music_tokenizer)
        processor.add_infill_tokens()
        return processor

    def train_new_from_corpus(
        self, corpus: Dataset, vocab_size: int, model: str = "BPE", max_tokens: int = 2_000_000, seed: int = 0
    ) -> "MidiProcessor":
        """
        Learns a vocabulary of token groups and returns a processor that uses it; `self` stays as it is.

        Args:
            corpus ([`~datasets.Dataset`]):
                Pieces with a `midi` column; give the train split.
            vocab_size (`int`):
                Number of ids wanted, base tokens and the four of infilling included. There may be fewer, which is
                logged: small corpora have no more groups of tokens that repeat.
            model (`str`, *optional*, defaults to `"BPE"`):
                `"BPE"`, `"Unigram"` or `"WordPiece"`.
            max_tokens (`int`, *optional*, defaults to 2,000,000):
                Base tokens to learn from. Pieces are taken in a random order until they hold so many, which bounds
                memory whatever the size of the corpus.
            seed (`int`, *optional*, defaults to 0):
                Of that order.

        Raises:
            `ValueError`: `vocab_size` leaves no room beside the base tokens, `model` is unknown, or tokens other than
                those of infilling were added to the tokenizer.
        """
        added = self.tokenizer.convert_ids_to_tokens(list(range(len(self.music_tokenizer), self.vocab_size)))
        if others := [token for token in added if token not in INFILL_TOKENS]:
            raise ValueError(
                f"{others[0]} was added to this tokenizer: learn the vocabulary first, and add it to what is learned."
            )
        trained = train_music_tokenizer(self.music_tokenizer, corpus, vocab_size, model, max_tokens, seed)
        return self._new(trained)

    def __call__(
        self,
        midi: MidiInput | list[MidiInput],
        *,
        add_bos: bool = True,
        add_eos: bool = False,
        max_length: int | None = None,
        padding: bool | str = False,
        padding_side: str | None = None,
        return_tensors: str | None = None,
    ) -> BatchEncoding:
        """
        Encodes one piece or a list of pieces.

        Args:
            midi (path, `bytes`, [`symusic.Score`], `{"bytes", "path"}`, or a list of them):
                The music.
            add_bos (`bool`, *optional*, defaults to `True`): begin with BOS.
            add_eos (`bool`, *optional*, defaults to `False`): end with EOS.
            max_length (`int`, *optional*):
                Keep the first `max_length` tokens of each piece, BOS and EOS counted.
            padding (`bool` or `str`, *optional*, defaults to `False`):
                As for any tokenizer: `True` pads to the longest, `"max_length"` to `max_length`.
            padding_side (`str`, *optional*):
                `"left"` for generation, `"right"` otherwise.
            return_tensors (`str`, *optional*): `"pt"` or `"np"`; lists by default.

        Returns:
            `BatchEncoding` with `input_ids` and `attention_mask`: lists of ids, of shape `(length,)` for one piece and
            `(batch, length)` for a list; as tensors, always `(batch, length)`.

        Raises:
            `RuntimeError`: a file is not readable MIDI.
        """
        single = not isinstance(midi, (list, tuple))
        pieces = [self.encode(piece, add_bos=add_bos, add_eos=add_eos) for piece in ([midi] if single else midi)]
        batch = {"input_ids": [ids[:max_length] for ids in pieces]}
        batch["attention_mask"] = [[1] * len(ids) for ids in batch["input_ids"]]
        if single and return_tensors is None:
            batch = {name: rows[0] for name, rows in batch.items()}
        return self.tokenizer.pad(
            batch, padding=padding, max_length=max_length, padding_side=padding_side, return_tensors=return_tensors
        )

    def encode(self, midi: MidiInput, *, add_bos: bool = True, add_eos: bool = False) -> list[int]:
        """Encodes one piece into a list of ids: miditok's own, between BOS and EOS where asked for."""
        ids, _ = self.encode_score(load_score(midi))
        begin = [self.tokenizer.bos_token_id] if add_bos else []
        end = [self.tokenizer.eos_token_id] if add_eos else []
        return begin + ids + end

    def encode_score(self, score: ScoreTick) -> tuple[list[int], int]:
        """
        Encodes a score in ticks.

        Returns:
            `tuple[list[int], int]`: miditok's ids, and the number of notes they stand for (fewer than the score has
            where miditok merges duplicates or drops pitches out of range).
        """
        encoder = self.encoder
        (written,) = encoder.write(score)
        return encoder.ids_of([written])[0].tolist(), len(written.quantised)

    def quantise(self, score: ScoreTick) -> ScoreTick:
        """
        What of a score in ticks the tokenizer writes, in its own ticks: notes, meters and tempos.

        A tokenizer without programs writes one track: tracks are merged, and drums left out.
        """
        return self.encoder.quantise(score)

    def tally(self, midi: MidiInput) -> Tally:
        """
        Counts what the tokenizer changes in one piece.

        Args:
            midi (path, `bytes`, [`symusic.Score`] or `{"bytes", "path"}`): the music.

        Returns:
            [`Tally`]: false where it changes nothing but what its steps round.

        Raises:
            `RuntimeError`: the file is not readable MIDI.

        Example:
        ```py
        >>> print(processor.tally("song.mid"))
        lost 0.12% of sounding time; 3 drum keys dropped, 14 lengths cut, 2 meters replaced
        ```
        """
        encoder = self.encoder
        (written,) = encoder.write(load_score(midi))
        return encoder.tally(written.given, written.quantised)

    def tally_quantised(self, score: ScoreTick, quantised: ScoreTick) -> Tally:
        """As [`MidiProcessor.tally`], of a score in ticks and what [`MidiProcessor.quantise`] gave of it."""
        return self.encoder.tally(ScoreArrays.of(score), ScoreArrays.of(quantised))

    def encode_quantised(self, quantised: ScoreTick) -> list[int]:
        """Miditok's ids of what [`MidiProcessor.quantise`] gave, or of a part of it; none where no note is kept."""
        return self.encoder.encode_quantised(quantised)

    def decode(self, token_ids, *, default_tempo: float | None = None) -> ScoreTick | list[ScoreTick]:
        """
        Decodes ids into music. Special and added tokens are left out, an unfinished note at the end is dropped.

        Args:
            token_ids (list, array or tensor of shape `(length,)`, or `(batch, length)`):
                Ids, PAD, BOS and EOS allowed.
            default_tempo (`float`, *optional*):
                Speed in quarter notes a minute for tokenizers that write no tempo (Structured); 120 if not given.

        Returns:
            [`symusic.Score`] in ticks, or a list of them for a batch.

        Raises:
            `ValueError`: an id is outside the vocabulary.
        """
        ids = token_ids.cpu() if hasattr(token_ids, "cpu") else token_ids
        ids = np.asarray(ids) if hasattr(ids, "__array__") else list(ids)
        if getattr(ids, "ndim", 1) == 2 or (isinstance(ids, list) and ids and isinstance(ids[0], Iterable)):
            return [self.decode(row, default_tempo=default_tempo) for row in ids]
        ids = np.asarray(ids)
        outside = ids[(ids < 0) | (ids >= self.vocab_size)]
        if len(outside):
            raise ValueError(f"{outside[0]} is no id of this vocabulary (0 to {self.vocab_size - 1}).")
        score = self._decoder.decode(ids.astype(np.int64))
        if default_tempo is not None and not self.music_tokenizer.config.use_tempos:
            score.tempos = [Tempo(0, default_tempo)]
        return score

    def batch_decode(self, sequences, *, default_tempo: float | None = None) -> list[ScoreTick]:
        """Decodes each row of `sequences`, as [`MidiProcessor.decode`]."""
        return [self.decode(np.asarray(row), default_tempo=default_tempo) for row in sequences]

    def music_ids(self, ids: Iterable[int]) -> list[int]:
        """`ids` without tokens that say nothing of music: PAD, BOS, EOS and the like, and those added to miditok's."""
        return self._decoder.only_music(np.array([*ids], np.int64)).tolist()

    @property
    def infill_ids(self) -> InfillIds | None:
        """The ids of the four tokens of infilling; `None` where the vocabulary has none."""
        return find_infill_ids(self.tokenizer)

    def add_infill_tokens(self):
        """Adds the four tokens of infilling behind the ids there are, where they are not among them."""
        add_infill_tokens(self.tokenizer)

    @property
    def encoder(self) -> MusicEncoder:
        """What encodes for the tokenizer as it is now: ask for it once, and not for each piece."""
        return self._coders.encoder(self.music_tokenizer)

    @property
    def _decoder(self) -> MusicDecoder:
        return self._coders.decoder(self.music_tokenizer, self.tokenizer)

    def pad(self, *args, **kwargs) -> BatchEncoding:
        """Pads encoded pieces, as the tokenizer's `pad`."""
        return self.tokenizer.pad(*args, **kwargs)

    def save_pretrained(self, save_directory, **kwargs):
        """
        Saves the processor.

        Args:
            save_directory (`str` or `Path`): of the bundle; made if missing.
            kwargs: of `ProcessorMixin.save_pretrained`.

        Raises:
            `ValueError`: what was saved could not be loaded, as `tokenizer` or `music_tokenizer` was changed.
        """
        if what_ids_depend_on(self.music_tokenizer) != self._made_of:
            raise ValueError(
                f"The {self.tokenization} was trained or changed after this processor was made, which has the ids of "
                "before: save MidiProcessor.from_music_tokenizer(processor.music_tokenizer)."
            )
        check_plain(self.tokenizer, len(self.music_tokenizer), self.vocabulary_hash)
        save_directory = user_path(save_directory)
        for name in LOCAL_FACTS:
            self.tokenizer.init_kwargs.pop(name, None)
        # Those of its last call, which sets its own each time.
        self.tokenizer.backend_tokenizer.no_padding()
        self.tokenizer.backend_tokenizer.no_truncation()
        saved = super().save_pretrained(str(save_directory))
        write_whole(save_directory / PROCESSOR_FILE, PROCESSOR_CODE)
        if kwargs.pop("push_to_hub", False):
            self.push_to_hub(kwargs.pop("repo_id", save_directory.name), **kwargs)
        return saved

    @property
    def vocab_size(self) -> int:
        """Number of ids, special and added tokens included."""
        return len(self.tokenizer)

    @property
    def base_words(self) -> list[list[tuple[str, str]]]:
        """
        The base tokens of each id, as pairs of type and value: `[("Pitch", "60"), ("Velocity", "79")]` of a group.

        Special and added tokens have none. Computed once, and anew where the vocabulary has changed since: ask for
        them once, and not in a loop.
        """
        return self._coders.base_words(self.music_tokenizer, self.vocab_size)

    @property
    def tokenization(self) -> str:
        """Class of the miditok tokenizer: its name in miditok, or an import path."""
        return self.miditok["class"]

    def to_dict(self) -> dict:
        """What `processor_config.json` holds."""
        return {
            "processor_class": type(self).__name__,
            "auto_map": AUTO_MAP,
            "vocabulary_hash": self.vocabulary_hash,
            "miditok": self.miditok,
        }

    def to_json_string(self) -> str:
        """`to_dict` as JSON, its keys in their order: miditok numbers chords as its config lists them."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


# AutoProcessor finds a class by its name among the registered ones; the key only has to be unique.
AutoProcessor.register(MidiProcessor, MidiProcessor, exist_ok=True)
