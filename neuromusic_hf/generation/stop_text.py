"""Stopping where a text is complete."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase, StoppingCriteria


class StopTextCriteria(StoppingCriteria):
    """
    Stops a row with the token that completes one of some texts; `stop_strings` of `generate()`. transformers' own
    criterion takes tokens apart into letters, which token text of music is not made of.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): decodes rows.
        texts (`str` or sequence of `str`): such as `"TimeSig_3/4"`.

    Raises:
        `ValueError`: a text is none, or empty.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: str | Sequence[str]):
        self.tokenizer = tokenizer
        self.texts = [texts] if isinstance(texts, str) else list(texts)
        if not all(isinstance(text, str) and text for text in self.texts):
            raise ValueError(f"stop_strings={texts!r} must be a text, or a list of texts, none of them empty.")
        self.most_tokens = max(map(len, self.texts), default=0) + 1

    def __call__(self, input_ids: torch.LongTensor, scores, **kwargs) -> torch.BoolTensor:
        """
        Args:
            input_ids (`torch.LongTensor` of shape `(rows, tokens)`): prompts and what was generated.

        Returns:
            `torch.BoolTensor` of shape `(rows,)`: which rows are done.
        """
        done = [self._is_completed(row) for row in input_ids[:, -self.most_tokens :].tolist()]
        return torch.tensor(done, device=input_ids.device)

    def _is_completed(self, ids: list[int]) -> bool:
        text, before = self.tokenizer.decode(ids), self.tokenizer.decode(ids[:-1])
        return any(text.count(each) > before.count(each) for each in self.texts)
