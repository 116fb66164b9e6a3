"""How good continuations and infills are: features of music, comparisons, distances, scores, novelty."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .comparison import Comparison as Comparison
    from .comparisons import COMPARISONS as COMPARISONS
    from .comparisons import DURATION as DURATION
    from .comparisons import HARMONY as HARMONY
    from .comparisons import PITCH as PITCH
    from .comparisons import all_comparisons as all_comparisons
    from .distances import ComparedPiece as ComparedPiece
    from .distances import PieceDistances as PieceDistances
    from .distances import compare_piece as compare_piece
    from .distances import compare_pieces as compare_pieces
    from .distances import gather_score as gather_score
    from .distances import score_midi as score_midi
    from .divergences import cosine_similarity as cosine_similarity
    from .divergences import distribution_distance as distribution_distance
    from .divergences import kl_divergence as kl_divergence
    from .divergences import overlap_area as overlap_area
    from .embedding import HarmonyEmbedding as HarmonyEmbedding
    from .embedding import load_harmony_embedding as load_harmony_embedding
    from .embedding_settings import EmbeddingSettings as EmbeddingSettings
    from .embedding_training import reduce_corpus as reduce_corpus
    from .embedding_training import train_harmony_embedding as train_harmony_embedding
    from .features import DURATION_GRID as DURATION_GRID
    from .features import duration_counts as duration_counts
    from .features import duration_distribution as duration_distribution
    from .features import pitch_class_counts as pitch_class_counts
    from .features import pitch_class_distribution as pitch_class_distribution
    from .harmony import find_key as find_key
    from .harmony import harmonic_reduction as harmonic_reduction
    from .infill_baselines import continue_only as continue_only
    from .infill_baselines import copy_before as copy_before
    from .infill_baselines import take_elsewhere as take_elsewhere
    from .infills import Judgement as Judgement
    from .infills import Measure as Measure
    from .infills import judge_span as judge_span
    from .infills import measures as measures
    from .judged_spans import JudgedSpan as JudgedSpan
    from .load import load_metrics as load_metrics
    from .load import metric_path as metric_path
    from .note_matching import note_f1 as note_f1
    from .novelty import NoveltyScore as NoveltyScore
    from .novelty import longest_runs as longest_runs
    from .novelty import score_novelty as score_novelty
    from .scores import DistanceScore as DistanceScore
    from .scores import ScoreSettings as ScoreSettings
    from .scores import score_distances as score_distances
    from .similarities import CHROMA as CHROMA
    from .similarities import GROOVE as GROOVE
    from .similarities import INFILL_COMPARISONS as INFILL_COMPARISONS
    from .similarities import chroma as chroma
    from .similarities import groove_similarity as groove_similarity
    from .similarities import grooves as grooves
    from .token_errors import TokenErrors as TokenErrors
    from .token_errors import count_token_errors as count_token_errors
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
