"""What the figures of a run say, in plain words."""

from ..bundles.card_records import MANY_PIECES
from ..corpora import Provenance
from ..corpora.provenance import OFFICIAL
from ..metrics import Comparison
from .leak_records import Families, SplitLeak

AWAY = "move further away from their prompts than the originals do"
CLOSE = "stay closer to their prompts than the originals do"


def below_floor(score: dict) -> bool:
    """Whether a score of `scores.json` shows no difference."""
    return score["noise_floor_95"] is not None and score["score"] <= score["noise_floor_95"]


def clearly_above(score: dict) -> bool:
    """Whether all of the interval of a score of `scores.json` lies above the noise floor."""
    return score["interval"] is not None and score["interval"][0] > score["noise_floor_95"]


def describe_score(score: dict, comparison: Comparison) -> str:
    """
    One or two plain sentences: what a score of `scores.json` says.

    Args:
        score (`dict`): from `DistanceScore.to_dict()`.
        comparison ([`Comparison`]): that it scores.
    """
    if score["score"] is None:
        return "No piece has this feature in all three of its parts, so there is no score."
    if score["noise_floor_95"] is None:
        return "One piece is too few to tell a difference from chance."
    if below_floor(score):
        return "Below the noise floor: no difference from the originals can be told from chance." + _few(score)
    is_higher = score["mean_generated"] > score["mean_original"]
    way = CLOSE if is_higher == comparison.higher_is_nearer else AWAY
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


def describe_distances(comparisons: tuple[Comparison, ...]) -> str:
    """The comparisons by title, each with the unit of its distances and what a high one means."""
    described = (
        f"{comparison.title.lower()} ({comparison.unit}; high is {'near' if comparison.higher_is_nearer else 'far'})"
        for comparison in comparisons
    )
    return ", ".join(described)


def describe_token_errors(errors: dict) -> str:
    """What the rate of token errors says."""
    if errors["token_error_rate"] is None:
        return "Nothing was generated."
    share = f"{errors['errors']:,} of {errors['tokens']:,} tokens break the rules of the tokenizer."
    return share + (f" {errors['empty_rows']:,} continuations are empty." if errors["empty_rows"] else "")


def describe_novelty(novelty: dict) -> str:
    """What the novelty score says."""
    share = novelty["share_beyond_originals"]
    if share is None:
        return "No piece could be compared."
    verdict = "no more than music shares by chance" if share <= 0.05 else "more than music shares by chance"
    return (
        f"{share:.1%} of the continuations share a longer run of notes with the training pieces than 95% of the "
        f"originals do: {verdict} (5%)."
    )


def describe_guard(guard: dict) -> str:
    """What the copy guard of a run did, of the `copy_guard` of `scores.json`."""
    corpus = f"of {guard['corpus']} " if guard["corpus"] else ""
    told = (
        f"No more than {guard['max_run']} notes in a row were to be shared with the training pieces {corpus}that it "
        f"was given. {guard['masked']:,} times it ruled out the next note of such a run, {guard['likeliest']:,} times "
        "the likeliest of all tokens."
    )
    if not guard["let_through"]:
        return told
    return f"{told} {guard['let_through']:,} times nothing else could follow, and the run went on."


def describe_leak(leak: SplitLeak, of: str | None = None) -> str:
    """
    How many pieces of a split have a twin elsewhere.

    Args:
        leak ([`SplitLeak`]): in numbers.
        of (`str`, *optional*): name of the corpus in which the twins are, where it is another one.
    """
    there = "any split" if leak.against == "any" else leak.against
    there = there if of is None else f"{there} of {of}"
    if leak.interval is None:
        return f"There is no piece in {leak.split}."
    low, high = leak.interval
    interval = f"95% interval {low:.1%} to {high:.1%}"
    if not leak.twins:
        return f"None of the {leak.pieces:,} pieces of {leak.split} has a twin in {there} ({interval})."
    counted = f"{leak.twins:,} of the {leak.pieces:,} pieces of {leak.split} ({leak.share:.1%}, {interval})"
    has = "has" if leak.twins == 1 else "have"
    are = "is a copy" if leak.copies == 1 else "are copies"
    copies = f" {leak.copies:,} of them {are}, note for note, maybe in another key." if leak.copies else ""
    return f"{counted} {has} a twin in {there}.{copies}"


def describe_splits(corpora: list[Provenance]) -> str:
    """Who split each of the corpora."""
    return " ".join(
        f"The splits of {each.name} are its own, and reported as they are."
        if each.splits == OFFICIAL
        else f"The splits of {each.name} are {each.splits}."
        for each in corpora
    )


def describe_families(families: Families, several: str) -> str:
    """
    How much of the music is in families.

    Args:
        families ([`Families`]): in numbers.
        several (`str`): where those lie that are on two sides, such as `"several splits"`.
    """
    if not families.count:
        return "No piece has a twin."
    made = "1 family" if families.count == 1 else f"{families.count:,} families"
    across = f"{families.across:,} of them {'lies' if families.across == 1 else 'lie'}"
    across = across if families.across else "none of them lies"
    return f"{families.pieces:,} pieces have a twin somewhere. They make {made}; {across} in {several}."
