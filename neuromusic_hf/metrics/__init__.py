"""How good continuations are: features of music, distances, scores, novelty."""

from .distances import Piece, PieceDistances, gather_score, measure_piece, measure_pieces, score_midi
from .divergences import cosine_similarity, distribution_distance, kl_divergence, overlap_area
from .embedding import HarmonyEmbedding, load_harmony_embedding
from .features import (
    DURATION_GRID,
    NoFeature,
    duration_counts,
    duration_distribution,
    pitch_class_counts,
    pitch_class_distribution,
)
from .harmony import find_key, harmonic_reduction
from .load import METRICS, load_metrics, metric_path
from .measures import DURATION, PITCH, Measure, all_measures, harmony_measure
from .novelty import NoveltyScore, longest_runs, note_intervals, score_novelty
from .scores import DistanceScore, ScoreSettings, score_distances
from .token_errors import TokenErrors, count_token_errors

__all__ = [
    "DURATION",
    "DURATION_GRID",
    "METRICS",
    "PITCH",
    "DistanceScore",
    "HarmonyEmbedding",
    "Measure",
    "NoFeature",
    "NoveltyScore",
    "Piece",
    "PieceDistances",
    "ScoreSettings",
    "TokenErrors",
    "all_measures",
    "cosine_similarity",
    "count_token_errors",
    "distribution_distance",
    "duration_counts",
    "duration_distribution",
    "find_key",
    "gather_score",
    "harmonic_reduction",
    "harmony_measure",
    "kl_divergence",
    "load_harmony_embedding",
    "load_metrics",
    "longest_runs",
    "measure_piece",
    "measure_pieces",
    "metric_path",
    "note_intervals",
    "overlap_area",
    "pitch_class_counts",
    "pitch_class_distribution",
    "score_distances",
    "score_midi",
    "score_novelty",
]
