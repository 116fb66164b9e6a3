"""What a test run is asked to do, and what is recorded of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..disk import hash_files, left_out_if_none, user_path
from ..ranges import PROCESSES, SEEDS, Range, check_ranges, check_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PIECE_RANGES = {"max_items": Range(1, "pieces"), "num_proc": PROCESSES, "seed": SEEDS}
"""Of the choice of pieces."""


@dataclass(frozen=True)
class ContinuationSettings:
    """
    How pieces are continued: whatever decides about the notes.

    Args:
        prompt_length (`int`, *optional*, defaults to 512): first tokens of a piece, BOS counted, that are the prompt.
        continue_length (`int`, *optional*, defaults to 512): most tokens to generate, and to take of the original.
        batch_size (`int`, *optional*, defaults to 8): pieces continued together.
        seed (`int`, *optional*, defaults to 0): of the choice of pieces and of the sampling.
        constrained (`bool`, *optional*, defaults to `True`): only tokens that the tokenizer's grammar allows.
        generation (`dict`, *optional*): arguments of `model.generate()` that go before the model's own
            `generation_config`; none if not given.

    Raises:
        `ValueError`: a length or the batch size is not positive, or the seed is no whole number from 0 to 2 ** 64 - 1.
    """

    prompt_length: int = 512
    continue_length: int = 512
    batch_size: int = 8
    seed: int = 0
    constrained: bool = True
    generation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("prompt_length", "continue_length", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        check_seed(self.seed)

    def as_record(
        self, sampling: dict[str, Any] | None = None, copy_guard: GuardRecord | None = None
    ) -> ContinuationRecord:
        """
        What is recorded of them.

        Args:
            sampling (`dict`, *optional*): how tokens are chosen with these settings and this model.
            copy_guard ([`GuardRecord`], *optional*): what keeps the model from copying.
        """
        return ContinuationRecord(**asdict(self), sampling=sampling, copy_guard=copy_guard)

    def check(self, model: PreTrainedModel) -> None:
        """Raises `ValueError` where the model cannot read prompt and continuation."""
        from ..models.fit import longest_context  # with PyTorch, which is slow to import

        longest = longest_context(model.config)
        wanted = self.prompt_length + self.continue_length
        if longest is not None and wanted > longest:
            raise ValueError(
                f"prompt_length {self.prompt_length} + continue_length {self.continue_length} = {wanted} tokens, but "
                f"the model reads {longest}: make either shorter."
            )


@dataclass(frozen=True)
class GuardRecord:
    """
    How a run was kept from copying its training pieces.

    Attributes:
        max_run (`int`): notes that a continuation may share with one of them in a row.
        corpus (`str`, *optional*): whose train split they are.
        pieces (`int`, *optional*): how many there are.
        notes (`int`, *optional*): in these, drums apart.
        sha256 (`str`, *optional*): over their notes.
    """

    max_run: int
    corpus: str | None = None
    pieces: int | None = None
    notes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContinuationRecord(ContinuationSettings):
    """
    How the pieces of a run were continued. A file that holds it gives both lengths.

    Attributes:
        sampling (`dict`, *optional*):
            How tokens were chosen, whether `generation` or the model's own `generation_config` said so; as of
            [`MidiContinuationPipeline.sampling_in_force`]. Runs that were made before it was recorded say nothing.
        copy_guard ([`GuardRecord`], *optional*): what kept the model from copying, if anything did.
    """

    prompt_length: int = field()
    continue_length: int = field()
    sampling: dict[str, Any] | None = left_out_if_none()
    copy_guard: GuardRecord | None = left_out_if_none()


@dataclass(frozen=True)
class OutputSettings:
    """
    What is written of each piece beside its four MIDI files.

    Args:
        pictures (`bool`, *optional*, defaults to `True`): a piano roll of prompt and continuation.
        audio (`int`, *optional*, defaults to 0): render so many pieces, the first ones; all where it is `None`.
        soundfont (`str`, *optional*): of the audio.
        max_audio_seconds (`float`, *optional*, defaults to 600.0): longer pieces are cut there, with a warning.

    Raises:
        `ValueError`: a number is out of range.
    """

    pictures: bool = True
    audio: int | None = 0
    soundfont: str | None = None
    max_audio_seconds: float = 600.0

    def __post_init__(self) -> None:
        check_ranges(self, {"audio": Range(0, "pieces"), "max_audio_seconds": Range(0, "seconds", open=True)})

    def check(self) -> None:
        """Raises `ImportError`, `FileNotFoundError` or `ValueError` where audio is wanted and cannot be rendered."""
        if self.audio != 0:
            from symusic.core import NoteTick, ScoreTick, TrackTick

            from ..rendering import render_audio

            one_note = ScoreTick(480)
            one_note.tracks.append(TrackTick())
            one_note.tracks[0].notes.append(NoteTick(0, 480, 60, 80))
            render_audio(one_note, soundfont=self.soundfont)

    def as_record(self) -> OutputRecord:
        """What is recorded of them."""
        heard = [user_path(self.soundfont)] if self.soundfont is not None and self.audio != 0 else []
        return OutputRecord(**asdict(self), soundfont_sha256=hash_files(heard) if heard else None)

    def wants_audio(self, index: int) -> bool:
        """Whether the piece of this index is rendered."""
        return self.audio is None or index < self.audio


@dataclass(frozen=True, kw_only=True)
class OutputRecord(OutputSettings):
    """
    What was written of the pieces of a run.

    Attributes:
        soundfont_sha256 (`str`, *optional*): of the soundfont, where sound was made with it.
    """

    soundfont_sha256: str | None = None
