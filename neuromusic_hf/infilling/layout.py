"""
The order in which a model reads a piece with a middle cut out.

    SUF suffix  MID programs given  PRE prefix  MID middle EOM

- **suffix**: what follows the middle, encoded as a piece of its own from its bar line on; with EOS where the piece
  ends there.
- **programs**: a Program token for each that is cut out, one or several, ascending, drums (-1) first; none where all
  tracks are.
- **given**: what is not cut out of the middle, as a piece of its own: its bars to the last one, silent ones too, with
  their meters and tempos, and the notes of other programs. So the model knows how many bars are asked for.
- **prefix**: what precedes the middle: with BOS where it is the beginning of the piece, else a piece of its own.
- **middle**: follows the prefix as if nothing stood between them. It reaches its end: in REMI the last bar has begun,
  in TSD and Structured shifts lead to the end's very tick. It has the meters that are given, and no change of tempo
  but one at its beginning.

In Structured, which cannot write every silence as the one shift that it has before a note, shifts lead to the end of
the prefix too, and the middle is a piece of its own. So its notes are never moved over its borders.

Suffix, given and prefix may be empty of notes. The layout is of fill-in-the-middle for text, in the order suffix,
prefix, middle (Bavarian et al. 2022, arXiv:2207.14255, section 3).
"""

from dataclasses import dataclass

import numpy as np

from ..tokenization.infill_tokens import InfillIds


@dataclass(frozen=True, eq=False)
class InfillSample:
    """
    The parts of a sample, as ids: `int32` arrays of shape `(length,)`.

    Args:
        suffix (`np.ndarray`): with its EOS, if any.
        given (`np.ndarray`): with the programs before it.
        prefix (`np.ndarray`): with its BOS, if any.
        middle (`np.ndarray`): without EOM.
        num_notes (`int`): in the middle.
    """

    suffix: np.ndarray
    given: np.ndarray
    prefix: np.ndarray
    middle: np.ndarray
    num_notes: int

    def prompt(self, ids: InfillIds) -> np.ndarray:
        """What a model reads before it writes the middle."""
        told = (
            np.append(ids.suffix, self.suffix),
            np.append(ids.middle, self.given),
            np.append(ids.prefix, self.prefix),
        )
        return np.append(np.concatenate(told), ids.middle).astype(np.int32)

    def whole(self, ids: InfillIds) -> np.ndarray:
        """What a model learns from."""
        return np.append(np.concatenate([self.prompt(ids), self.middle]), ids.end).astype(np.int32)

    def __len__(self) -> int:
        """Tokens of the whole."""
        return 5 + len(self.suffix) + len(self.given) + len(self.prefix) + len(self.middle)
