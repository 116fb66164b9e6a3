"""How good continuations are: features of music, comparisons, distances, scores, novelty."""

from .comparison import Comparison
from .comparisons import COMPARISONS, DURATION, HARMONY, PITCH, all_comparisons
from .distances import ComparedPiece, PieceDistances, compare_piece, compare_pieces, gather_score, score_midi
from .divergences import cosine_similarity, distribution_distance, kl_divergence, overlap_area
from .embedding import HarmonyEmbedding, load_harmony_embedding
from .features import (
    DURATION_GRID,
    duration_counts,
    duration_distribution,
    pitch_class_counts,
    pitch_class_distribution,
)
from .harmony import find_key, harmonic_reduction
from .load import load_metrics, metric_path
from .novelty import NoveltyScore, longest_runs, note_intervals, score_novelty
from .scores import DistanceScore, ScoreSettings, score_distances
from .token_errors import TokenErrors, count_token_errors

__all__ = [
    "COMPARISONS",
    "DURATION",
    "DURATION_GRID",
    "HARMONY",
    "PITCH",
    "ComparedPiece",
    "Comparison",
    "DistanceScore",
    "HarmonyEmbedding",
    "NoveltyScore",
    "PieceDistances",
    "ScoreSettings",
    "TokenErrors",
    "all_comparisons",
    "compare_piece",
    "compare_pieces",
    "cosine_similarity",
    "count_token_errors",
    "distribution_distance",
    "duration_counts",
    "duration_distribution",
    "find_key",
    "gather_score",
    "harmonic_reduction",
    "kl_divergence",
    "load_harmony_embedding",
    "load_metrics",
    "longest_runs",
    "metric_path",
    "note_intervals",
    "overlap_area",
    "pitch_class_counts",
    "pitch_class_distribution",
    "score_distances",
    "score_midi",
    "score_novelty",
]
