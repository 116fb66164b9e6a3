"""What to cite of a model."""

from collections.abc import Iterable

PACKAGE = """\
@software{neuromusic_hf,
  title = {neuromusic\\_hf: language models of symbolic music, native to Hugging Face}
}"""

MUSIC_TRANSFORMER = """\
@inproceedings{huang2019music,
  title = {Music Transformer: Generating Music with Long-Term Structure},
  author = {Huang, Cheng-Zhi Anna and Vaswani, Ashish and Uszkoreit, Jakob and Shazeer, Noam and Simon, Ian and
            Hawthorne, Curtis and Dai, Andrew M. and Hoffman, Matthew D. and Dinculescu, Monica and Eck, Douglas},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  eprint = {1809.04281},
  archivePrefix = {arXiv}
}"""

OF_MODELS = {"music_transformer": MUSIC_TRANSFORMER}
"""By their type in transformers."""


def citations(model_type: str | None, of_corpora: Iterable[str]) -> list[str]:
    """
    Entries in BibTeX, none twice.

    Args:
        model_type (`str`, *optional*): as transformers names it.
        of_corpora (iterable of `str`): entries of what the model was trained on.
    """
    entries = [OF_MODELS.get(model_type or ""), *of_corpora, PACKAGE]
    return list(dict.fromkeys(entry.strip() for entry in entries if entry))
