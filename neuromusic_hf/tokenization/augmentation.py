"""Seeded variants of a piece: another key, loudness or speed."""

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from miditok.data_augmentation.data_augmentation import augment_score
from symusic import Tempo
from symusic.core import ScoreTick

from ..music import DEFAULT_TEMPO, gather_notes
from ..music.score_arrays import DRUMS, ScoreArrays
from ..music.tempo import DEFAULT_MICROSECONDS_PER_QUARTER


@dataclass(frozen=True)
class Variant:
    """
    What was done to a piece.

    Args:
        pitch_shift (`int`, *optional*, defaults to 0): semitones added to every note that is not a drum.
        velocity_shift (`int`, *optional*, defaults to 0): MIDI velocity steps added, kept within 1 to 127.
        tempo_factor (`float`, *optional*, defaults to 1.0): factor on every tempo; 1.1 plays 10% faster.
    """

    pitch_shift: int = 0
    velocity_shift: int = 0
    tempo_factor: float = 1.0

    def apply(self, score: ScoreTick) -> ScoreTick:
        """Returns the changed score; `score` stays as it is."""
        changed = augment_score(score, pitch_offset=self.pitch_shift, velocity_offset=self.velocity_shift)
        if self.tempo_factor != 1.0:
            tempos = [(tempo.time, tempo.qpm) for tempo in score.tempos]
            if not tempos or tempos[0][0] > 0:
                tempos.insert(0, (0, DEFAULT_TEMPO))
            changed.tempos = [Tempo(time, qpm * self.tempo_factor) for time, qpm in tempos]
        return changed

    def apply_to_arrays(self, score: ScoreArrays) -> ScoreArrays:
        """As [`Variant.apply`], of a score as arrays."""
        pitch, velocity, tempos = score.pitch, score.velocity, score.tempos
        if self.pitch_shift:
            pitch = pitch + np.where(score.programs == DRUMS, 0, self.pitch_shift)[score.track]
        if self.velocity_shift:
            velocity = velocity + self.velocity_shift
            velocity = velocity.clip(min=1) if self.velocity_shift < 0 else velocity.clip(max=127)
        if self.tempo_factor != 1.0:
            if not tempos.size or tempos[0, 0] > 0:
                tempos = np.concatenate([[[0], [DEFAULT_MICROSECONDS_PER_QUARTER]], tempos], axis=1)
            faster = [Tempo(0, 6e7 / value * self.tempo_factor).mspq for value in tempos[1].tolist()]
            tempos = np.stack([tempos[0], np.array(faster)])
        return replace(score, pitch=pitch, velocity=velocity, tempos=tempos)


@dataclass(frozen=True)
class Augmentation:
    """
    How many variants of each training piece to make, and how far they may go.

    A piece's variants depend on `seed` and the content of the piece alone: not on its place in the corpus, nor on the
    number of processes.

    Args:
        variants (`int`, *optional*, defaults to 0): changed copies of each piece, beside the piece as it is.
        max_pitch_shift (`int`, *optional*, defaults to 5): largest shift up or down, in semitones. Notes stay within
            the pitches of the tokenizer: shifts that would push one out are not drawn.
        max_velocity_shift (`int`, *optional*, defaults to 16): largest change of velocity, of 127.
        max_tempo_change (`float`, *optional*, defaults to 0.1): largest relative change of speed.
        seed (`int`, *optional*, defaults to 0): of the draw.

    Raises:
        `ValueError`: a field is negative, or `max_tempo_change` is not below 1.
    """

    variants: int = 0
    max_pitch_shift: int = 5
    max_velocity_shift: int = 16
    max_tempo_change: float = 0.1
    seed: int = 0

    def __post_init__(self):
        for name in ("variants", "max_pitch_shift", "max_velocity_shift", "max_tempo_change"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} is negative: give the size of the largest change.")
        if self.max_tempo_change >= 1:
            raise ValueError(f"max_tempo_change={self.max_tempo_change} is relative: give a share below 1.")

    def draw(self, score: ScoreTick, content_hash: str, pitch_range: tuple[int, int]) -> Iterator[Variant]:
        """
        Yields the piece as it is, then its `variants`.

        Args:
            score ([`symusic.Score`]): the piece.
            content_hash (`str`): of the piece; seeds the draw together with `seed`.
            pitch_range (`tuple[int, int]`): lowest and highest pitch the tokenizer knows.
        """
        yield Variant()
        if not self.variants:
            return
        digest = hashlib.sha256(f"{self.seed}:{content_hash}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        lowest, highest = _shift_limits(score, pitch_range, self.max_pitch_shift)
        log_tempo = math.log1p(self.max_tempo_change)
        for _ in range(self.variants):
            yield Variant(
                pitch_shift=int(random.integers(lowest, highest, endpoint=True)),
                velocity_shift=int(random.integers(-self.max_velocity_shift, self.max_velocity_shift, endpoint=True)),
                tempo_factor=float(np.exp(random.uniform(-log_tempo, log_tempo))),
            )


@dataclass(frozen=True)
class OneVariant:
    """
    One of those that an [`Augmentation`] draws of each piece, the piece as it is counting as the first.

    Args:
        augmentation ([`Augmentation`]): which.
        number (`int`): of the variant, from 0; behind the last one comes the first again.
    """

    augmentation: Augmentation
    number: int

    def draw(self, score: ScoreTick, content_hash: str, pitch_range: tuple[int, int]) -> Iterator[Variant]:
        """Yields it; arguments as of [`Augmentation.draw`]."""
        number = self.number % (1 + self.augmentation.variants)
        yield from itertools.islice(self.augmentation.draw(score, content_hash, pitch_range), number, number + 1)


def _shift_limits(score: ScoreTick, pitch_range: tuple[int, int], largest: int) -> tuple[int, int]:
    pitches = gather_notes(score, drums=False).pitch
    if not len(pitches):
        return 0, 0
    room_below = int(pitches.min()) - pitch_range[0]
    room_above = pitch_range[1] - int(pitches.max())
    return -max(0, min(largest, room_below)), max(0, min(largest, room_above))
