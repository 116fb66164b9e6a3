"""What a bundle's card says of how it was made, and of how it does."""

from urllib.parse import quote

import yaml

from ..default_bundle import DEFAULT
from ..hub import address, code_block, escape, is_hub_id, link_to, table
from ..infilling.drawing import LONGEST_MIDDLE
from .card_metadata import LANGUAGE_METRICS
from .citations import citations
from .course import course_sentences
from .facts import BundleFacts, told
from .licences import is_non_commercial

MANY_PIECES = 100
"""Fewer leave the noise floor high."""

SCORE_HEADS = (
    "", "score", "95% interval", "noise floor", "p", "originals' distance", "continuations' distance", "pieces",
    "difference",
)  # fmt: skip


def data(facts: BundleFacts) -> str:
    """What it was trained on, and under which licences."""
    if not facts.corpora:
        return ""
    rows = [
        [
            escape(told(corpus, str, "name") or "?") + ("" if corpus in facts.corpora else ", before"),
            escape(told(corpus, str, "licence") or "not known"),
            _splits(corpus),
            ", ".join(filter(None, [_dataset(corpus), _source(corpus)])),
        ]
        for corpus in [*facts.corpora, *facts.corpora_before]
    ]
    corpora = table(["corpus", "licence", "splits", "where"], rows)
    parts = ["## Training data", corpora, _split_otherwise(facts.run), _pieces(facts)]
    licences = [told(corpus, str, "licence") for corpus in [*facts.corpora, *facts.corpora_before]]
    if binding := next(filter(is_non_commercial, licences), None):
        parts.append(
            f"The licence of the music ({escape(binding)}) binds the model that was made of it: no use for money."
        )
    return "\n\n".join(part for part in parts if part)


def _split_otherwise(run: dict) -> str:
    """What its figures may owe to pieces that the model it went on from had been trained on."""
    names = [escape(name) for name in told(run, list, "split_otherwise") or [] if isinstance(name, str)]
    if not names:
        return ""
    return (
        f"The model that it went on from was trained on {' + '.join(names)} in other splits, or together with others: "
        "pieces that it had learned from are in validation and test here, whose figures they flatter."
    )


def _splits(corpus: dict) -> str:
    splits, shares = told(corpus, str, "splits"), told(corpus, list, "split_shares") or []
    if splits == "official":
        return "those of the corpus"
    shares = [share for share in shares if isinstance(share, float)]
    return escape(splits or "not known") + (f" ({' / '.join(f'{share:g}' for share in shares)})" if shares else "")


def _dataset(corpus: dict) -> str:
    dataset, revision = told(corpus, str, "dataset"), told(corpus, str, "revision")
    if not dataset:
        return ""
    return link_to(dataset, "dataset") + (f" at `{escape(revision)[:12]}`" if revision else "")


def _source(corpus: dict) -> str:
    source = address(told(corpus, str, "source"))
    return f"<{source}>" if source else ""


def _pieces(facts: BundleFacts) -> str:
    splits = told(facts.run, dict, "splits") or {}
    rows = []
    for split, said in splits.items():
        counts = [told(said, int, name) for name in ("pieces", "notes", "tokens")]
        if all(count is not None for count in counts):
            rows.append([_said(str(split)), *(f"{count:,}" for count in counts)])
    if not rows:
        return ""
    counted = table(["split", "pieces", "notes", "tokens"], rows)
    twins = told(splits, int, "clean_test", "left_out", "twin_in_train", "pieces")
    if twins is None:
        return counted
    return (
        f"{counted}\n\nThe clean test leaves out the test pieces that have a twin in train, the same melody in "
        f"whatever key and tempo: {twins:,}."
    )


def _said(split: str) -> str:
    return escape(split.replace("_", " "))


def training(facts: BundleFacts) -> str:
    """How it was trained, and what was measured."""
    steps = _steps(facts.run)
    parts = [
        f"Trained in {steps}." if steps else "",
        _lora(facts.run),
        _narrowing(facts.run),
        *map(_before, facts.before),
    ]
    if facts.base_model and not (facts.adapter or facts.base_model in [name for name, _, _ in facts.before]):
        parts.append(f"It went on from {link_to(facts.base_model)}.")
    parts.append(" ".join(course_sentences(told(facts.run, dict, "course") or {})))
    measured = facts.measured(LANGUAGE_METRICS)
    rows = [[LANGUAGE_METRICS[name], _said(split), f"{value:.3f}"] for name, split, value in measured]
    parts.append(table(["measured", "on", "value"], rows) if rows else "")
    if facts.recipe:
        recipe = yaml.safe_dump(facts.recipe, sort_keys=False, allow_unicode=True)
        block = code_block(recipe, "yaml")
        parts.append(f"<details><summary>Recipe (<code>recipe.yaml</code>)</summary>\n\n{block}\n\n</details>")
    text = "\n\n".join(part for part in parts if part)
    return f"## Training\n\n{text}" if text else ""


def _lora(run: dict) -> str:
    """What a run has trained that did not train all weights."""
    rank, trained, whole = (told(run, int, "lora", name) for name in ("rank", "trained_parameters", "base_parameters"))
    if None in (rank, trained, whole):
        return ""
    merged = ", and was merged into them" if run["lora"].get("merged") is True else ""
    return f"LoRA of rank {rank} trained {trained:,} of {whole:,} parameters{merged}."


def _steps(run: dict) -> str:
    steps, processes = told(run, int, "optimizer_steps"), told(run, int, "processes")
    if not steps:
        return ""
    by = f" by {processes} processes" if (processes or 1) > 1 else ""
    return f"{steps:,} optimizer steps{by}" + (f" on {hardware}" if (hardware := _hardware(run)) else "")


def _narrowing(run: dict) -> str:
    narrowed = [told(run, int, "narrowed", side) for side in ("from", "to")]
    if None in narrowed:
        return ""
    return f"Then its feed-forward layers were narrowed from {narrowed[0]:,} to {narrowed[1]:,} neurons."


def _before(base: tuple[str, str | None, dict]) -> str:
    """How a model was trained that this one went on from."""
    name, revision, trained = base
    weights = f" (weights `{escape(revision)[:12]}`)" if revision else ""
    what = "the bundle that comes with neuromusic_hf" if name == DEFAULT else escape(name)
    what = link_to(name) if is_hub_id(name) else what
    names = [escape(told(corpus, str, "name") or "?") for corpus in told(trained, list, "corpora") or []]
    steps = _steps(trained)
    said = (f", trained on {' + '.join(names)}" if names else "") + (f" in {steps}" if steps else "")
    return " ".join(filter(None, [f"It went on from {what}{weights}{said}.", _lora(trained), _narrowing(trained)]))


def _hardware(run: dict) -> str:
    gpus = [str(gpu) for gpu in told(run, list, "hardware", "gpus") or []]
    cores = told(run, int, "hardware", "cpu_cores")
    if gpus:
        return ", ".join(f"{gpus.count(gpu)} × {escape(gpu)}" for gpu in dict.fromkeys(gpus))
    return f"{cores} CPU cores" if cores else ""


def scores(facts: BundleFacts) -> str:
    """How its continuations compare with how the pieces really go on."""
    rows = []
    for _, score, title in facts.scored:
        interval = told(score, list, "interval") or []
        interval = " to ".join(_figure(bound) for bound in interval) if len(interval) == 2 else "–"
        others = [_figure(score.get(key)) for key in ("noise_floor_95", "p_value", "mean_original", "mean_generated")]
        figure, pieces = f"**{_figure(score['score'])}**", _figure(score.get("num_pieces"))
        rows.append([escape(title), figure, interval, *others, pieces, _difference(score)])
    parts = ["## Scores", _protocol(facts)] if rows else []
    if rows:
        parts += [
            table(SCORE_HEADS, rows),
            "Each score is the divergence (KL, in nats; lower is better) between how far continuations and how far "
            "the originals are from their prompts, whose means stand beside it. A score under the noise floor, which "
            "95% of random halves of the originals do not exceed, shows no difference; one whose whole interval lies "
            "above it shows a clear one.",
        ]
        if max(told(score, int, "num_pieces") or 0 for _, score, _ in facts.scored) < MANY_PIECES:
            parts.append(f"With fewer than {MANY_PIECES} pieces only a large difference can be told from chance.")
    errors = told(facts.scores, dict, "token_errors") or {}
    if (share := told(errors, float, "token_error_rate")) is not None:
        parts.append(f"{share:.2%} of {_figure(errors.get('tokens'))} generated tokens break the tokenizer's rules.")
    if novelty := _novelty(facts):
        parts.append(novelty)
    return "\n\n".join(part for part in parts if part)


def _difference(score: dict) -> str:
    """What the score shows."""
    least, floor = (told(score, list, "interval") or [None])[0], told(score, float, "noise_floor_95")
    if floor is None:
        return "–"
    if score["score"] <= floor:
        return "none shown"
    return "clear" if isinstance(least, float) and least > floor else "perhaps"


def _protocol(facts: BundleFacts) -> str:
    names, _, _, split = facts.tested_on
    continuation = told(facts.scores, dict, "settings", "run", "continuation") or {}
    pieces = told(facts.scores, int, "pieces", "continued")
    said = f"{pieces} pieces of {escape(names)}" if pieces else f"Pieces of {escape(names)}"
    said += f" ({_said(split)} split)" if split else ""
    said += ", none of which has a twin in train" if (split or "").startswith("clean_") else ""
    lengths = [told(continuation, int, name) for name in ("prompt_length", "continue_length")]
    if all(lengths):
        said += f", continued after {lengths[0]:,} tokens by at most {lengths[1]:,}"
    return f"{said}, with neuromusic_hf's `continue_midi.py` and `score_continuations.py`."


def _novelty(facts: BundleFacts) -> str:
    novelty = told(facts.scores, dict, "novelty") or {}
    share = told(novelty, float, "share_beyond_originals")
    if share is None:
        return ""
    lengths = [told(novelty, float, f"longest_{name}") for name in ("generated", "original")]
    longest = (
        f" The longest run of a continuation that stands in the training pieces has {lengths[0]:.0f} notes, that of "
        f"an original {lengths[1]:.0f}."
        if None not in lengths
        else ""
    )
    return (
        f"**Novelty.** {share:.1%} of the continuations share a longer run of notes with the training pieces than 95% "
        f"of the originals do (5% is what music shares by chance).{longest}"
    )


def examples(facts: BundleFacts) -> str:
    """Pieces that it continued, to see and to hear."""
    shown = []
    for stem, names in facts.examples.items():
        by_kind = {name.rpartition(".")[2].lower(): quote(name) for name in names}
        parts = [_caption(facts, stem)]
        if "png" in by_kind:
            parts.append(f"![Piano roll of the prompt and what the model wrote]({by_kind['png']})")
        if "wav" in by_kind:
            parts.append(f'<audio controls src="{by_kind["wav"]}"></audio>')
        links = {"MIDI": "mid", "sound": "wav"}
        files = [f"[{title}]({by_kind[kind]})" for title, kind in links.items() if kind in by_kind]
        shown.append("\n\n".join([*parts, ", ".join(files)] if files else parts))
    return "\n\n".join(["## Examples", "Prompts, and how the model goes on.", *shown]) if shown else ""


def _caption(facts: BundleFacts, stem: str) -> str:
    said = told(facts.scores, dict, "examples", stem) or {}
    text = f"**{escape(told(said, str, 'place') or stem)}**"
    if piece := told(said, str, "piece"):
        text += f": {escape(piece)}"
    start = told(said, float, "continuation_at_seconds")
    return text if start is None else f"{text}; the continuation begins at {start:.1f} s"


def limits(facts: BundleFacts) -> str:
    """What it cannot do, and what it should not be used for."""
    if not (facts.config or facts.adapter):
        return ""
    said = []
    if facts.corpora:
        before = [told(corpus, str, "name") or "?" for corpus in facts.corpora_before]
        names = escape(" + ".join([facts.trained_on[0], *before]))
        said.append(f"It has learned from {names}, and writes in its ways: other music is beyond it.")
    if facts.context_length:
        said.append(
            f"It reads {facts.context_length:,} tokens at most, prompt and continuation together, and knows nothing "
            "of what was before."
        )
    if facts.infill_share:
        said.append(f"It learned to fill in spans of 1 to {LONGEST_MIDDLE} bars: longer ones are beyond it.")
    if facts.tokenization:
        said.append("What its tokens cannot say is lost: times and velocities are rounded, and lyrics are left out.")
    if told(facts.scores, float, "novelty", "share_beyond_originals") is None:
        memorised = "How much of the training pieces it repeats was not measured."
    else:
        memorised = "How much of the training pieces it repeats was measured (novelty, above) for these pieces only."
    said.append(
        f"**Memorisation.** {memorised} Language models repeat passages of what they were trained on: compare what "
        "you publish with the training pieces."
    )
    return "## Limits\n\n" + "\n".join(f"- {each}" for each in said)


def versions(facts: BundleFacts) -> str:
    """Of the libraries that made it."""
    found = {
        **(told(facts.run, dict, "versions") or {}),
        "transformers": told(facts.run, str, "versions", "transformers")
        or told(facts.config, str, "transformers_version"),
    }
    said = [f"{escape(str(name))} {escape(version)}" for name, version in found.items() if isinstance(version, str)]
    return f"## Versions\n\n{', '.join(said)}" if said else ""


def citation(facts: BundleFacts) -> str:
    """In BibTeX."""
    of_corpora = [told(corpus, str, "citation") for corpus in facts.corpora]
    entries = citations(facts.model_type, filter(None, of_corpora))
    return "## Citation\n\n" + code_block("\n\n".join(entries), "bibtex")


def _figure(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
