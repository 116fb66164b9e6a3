"""What the figures of a run say, in plain words."""

from dataclasses import dataclass

MANY_PIECES = 100
"""Fewer leave the noise floor high."""


@dataclass(frozen=True)
class Feature:
    """
    How a feature is presented.

    Args:
        name (`str`): as in the table of pieces.
        title (`str`): for headings.
        distance (`str`): what is measured between a prompt and what follows, with its unit.
        farther (`str`): what continuations do whose mean distance is higher than the originals'.
        nearer (`str`): what they do where it is lower.
        decimals (`int`): that distances are shown with.
    """

    name: str
    title: str
    distance: str
    farther: str
    nearer: str
    decimals: int

    @property
    def score_name(self) -> str:
        """As in `scores.json`."""
        return f"{self.name}_kl"


AWAY = "move further away from their prompts than the originals do"
CLOSE = "stay closer to their prompts than the originals do"
FEATURES = (
    Feature("pitch", "Pitch classes", "KL from the prompt (nats)", AWAY, CLOSE, 3),
    Feature("duration", "Note durations", "KL from the prompt (nats)", AWAY, CLOSE, 3),
    Feature("harmony", "Harmony", "cosine similarity with the prompt", CLOSE, AWAY, 4),
)


def below_floor(score: dict) -> bool:
    """Whether a score of `scores.json` shows no difference."""
    return score["noise_floor_95"] is not None and score["score"] <= score["noise_floor_95"]


def clearly_above(score: dict) -> bool:
    """Whether all of the interval of a score of `scores.json` lies above the noise floor."""
    return score["interval"] is not None and score["interval"][0] > score["noise_floor_95"]


def read_score(score: dict, feature: Feature) -> str:
    """
    One or two plain sentences: what a score of `scores.json` says.

    Args:
        score (`dict`): from `DistanceScore.to_dict()`.
        feature ([`Feature`]): that it compares.
    """
    if score["score"] is None:
        return "No piece has this feature in all three of its parts, so there is no score."
    if score["noise_floor_95"] is None:
        return "One piece is too few to tell a difference from chance."
    if below_floor(score):
        return "Below the noise floor: no difference from the originals can be told from chance." + _few(score)
    way = feature.farther if score["mean_generated"] > score["mean_original"] else feature.nearer
    if clearly_above(score):
        return f"Clearly above the noise floor: the continuations differ from the originals. On average they {way}."
    return (
        "Above the noise floor, but its interval is not: perhaps a difference, which more pieces would tell. On "
        f"average the continuations {way}."
    )


def _few(score: dict) -> str:
    if score["num_pieces"] >= MANY_PIECES:
        return ""
    return f" With {score['num_pieces']} pieces only a large one could be: take {MANY_PIECES} or more."


def read_token_errors(errors: dict) -> str:
    """What the rate of token errors says."""
    if errors["token_error_rate"] is None:
        return "Nothing was generated."
    share = f"{errors['errors']:,} of {errors['tokens']:,} tokens break the rules of the tokenizer."
    return share + (f" {errors['empty_rows']:,} continuations are empty." if errors["empty_rows"] else "")


def read_novelty(novelty: dict) -> str:
    """What the novelty score says."""
    share = novelty["share_beyond_originals"]
    if share is None:
        return "No piece could be compared."
    verdict = "no more than music shares by chance" if share <= 0.05 else "more than music shares by chance"
    return (
        f"{share:.1%} of the continuations share a longer run of notes with the training pieces than 95% of the "
        f"originals do: {verdict} (5%)."
    )
