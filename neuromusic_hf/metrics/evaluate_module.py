"""What the evaluate modules of this package share: everything but the comparison, its words and its example."""

from abc import ABC, abstractmethod
from pathlib import Path

import datasets
import evaluate

from ..music import Midi
from .comparison import Comparison
from .distances import score_midi
from .embedding import HarmonyEmbedding
from .scores import ScoreSettings

DESCRIPTION = """
For each piece, {how}
Over the pieces: are those {distances} spread as they are where the pieces really go on?
The score is KL(original || generated) of the two distributions of {distances}, in nats; 0 is best.
"""

INPUTS = """
Args:
    predictions (`list`): how a model goes on after each prompt, without the prompt: MIDI paths, bytes,
        `{{"bytes", "path"}}` or [`symusic.Score`].
    references (`list`): how each piece really goes on, likewise without the prompt.
    prompts (`list`): what was continued.
    num_bins (`int`, *optional*, defaults to 10): bins of the two histograms.
    resamples (`int`, *optional*, defaults to 1,000): bootstrap samples, and swaps.
    splits (`int`, *optional*, defaults to 1,000): random halves of the references.
    seed (`int`, *optional*, defaults to 0): of samples, swaps and halves.
    num_workers (`int`, *optional*, defaults to 1): processes.
Returns:
    `dict`: `{name}` (nats), `interval` (95%), `p_value`, `noise_floor` (mean, nats), `noise_floor_95` (nats),
    `overlap_area` (0 to 1), `mean_original` and `mean_generated` ({unit}), `num_pieces`, `num_dropped`,
    `dropped` (names by reason) and `counts`.
Raises:
    `OSError`: a path cannot be read.
    `ValueError`: the numbers of predictions, references and prompts differ.
Example:

{example}
"""

CITATION = """
@article{yang2020evaluation,
  title = {On the evaluation of generative models in music},
  author = {Yang, Li-Chia and Lerch, Alexander},
  journal = {Neural Computing and Applications},
  volume = {32},
  pages = {4773--4784},
  year = {2020},
  doi = {10.1007/s00521-018-3849-7},
}
"""


class ComparisonMetric(evaluate.Metric, ABC):
    """
    The score of a [`Comparison`] as a metric of evaluate.

    It is abstract, since evaluate loads the first class of a module that is not.

    Args:
        args: of [`~evaluate.Metric`].
        embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            For a comparison that needs one: an embedding, its folder or Hub repository; the one that comes with the
            package if not given.
        embedding_revision (`str`, *optional*): branch, tag or commit of that repository; main if not given.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.
        kwargs: of [`~evaluate.Metric`].

    Raises:
        `TypeError`: the comparison needs no embedding.
        `OSError`: the embedding cannot be read.
    """

    def __init__(
        self,
        *args,
        embedding: HarmonyEmbedding | str | Path | None = None,
        embedding_revision: str | None = None,
        token: str | bool | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        of_embedding = (embedding, embedding_revision, token)
        if any(each is not None for each in of_embedding) and not self.comparison.needs_embedding:
            raise TypeError(f"{self.comparison.score_name} takes no embedding.")
        self.ready = self.comparison.bind(*of_embedding)

    @property
    @abstractmethod
    def comparison(self) -> Comparison:
        """What it scores."""

    @property
    @abstractmethod
    def how(self) -> str:
        """How a piece is compared, as the sentence goes on after `For each piece, `."""

    @property
    @abstractmethod
    def example(self) -> str:
        """A doctest that shows numbers."""

    def _info(self):
        comparison = self.comparison
        distances = "similarities" if comparison.higher_is_nearer else "distances"
        facts = {"name": comparison.score_name, "unit": comparison.unit, "example": self.example.strip()}
        return evaluate.MetricInfo(
            description=DESCRIPTION.format(how=self.how, distances=distances),
            citation=CITATION,
            inputs_description=INPUTS.format(**facts),
            features=datasets.Features(
                {name: Midi(decode=False) for name in ("predictions", "references", "prompts")}
            ),
            reference_urls=["https://doi.org/10.1007/s00521-018-3849-7"],
        )

    def _compute(self, predictions, references, prompts, num_workers=1, **settings):
        score = score_midi(self.ready, prompts, references, predictions, ScoreSettings(**settings), num_workers)
        return score.to_dict(self.comparison.score_name)
