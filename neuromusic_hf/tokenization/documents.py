"""Where the documents of a block begin: pieces, and samples of infilling."""

from dataclasses import dataclass

import torch

from .infill_tokens import InfillIds
from .processing_midi import MidiProcessor


@dataclass(frozen=True)
class Documents:
    """
    Knows documents by the ids they begin with: a piece by BOS, a sample of infilling by SUF.

    A sample is one document, also where its prefix, behind PRE, has the BOS of its piece.

    Args:
        bos (`int`): id of BOS.
        infill ([`InfillIds`], *optional*): those of infilling; none where the vocabulary has none.
    """

    bos: int
    infill: InfillIds | None = None

    @classmethod
    def of(cls, processor: MidiProcessor) -> "Documents":
        """Of the vocabulary of a processor."""
        return cls(processor.tokenizer.bos_token_id, processor.infill_ids)

    def position_ids(self, input_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """
        Positions that begin at 0 with every document, by which models of transformers keep documents apart.

        What goes on from the block before, at the beginning of a row, is a document; so is the padding at its end.

        Args:
            input_ids (`torch.Tensor` of shape `(batch, length)`): blocks, padded on the right.
            lengths (`torch.Tensor` of shape `(batch,)`): ids of each that are no padding.

        Returns:
            `torch.Tensor` of shape `(batch, length)`, int64.
        """
        places = torch.arange(input_ids.shape[1]).expand_as(input_ids)
        begins = (input_ids == self.bos) & (places < lengths[:, None])
        if self.infill is not None:
            behind_prefix = input_ids.roll(1, dims=1) == self.infill.prefix
            begins = (begins & ~(behind_prefix & (places > 0))) | (input_ids == self.infill.suffix)
        begins |= places == lengths[:, None]
        return places - torch.where(begins, places, 0).cummax(dim=1).values
