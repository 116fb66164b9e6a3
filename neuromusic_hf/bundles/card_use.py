"""What a bundle's card says first: what it is, and how it is used."""

from urllib.parse import quote

from ..default_bundle import DEFAULT
from ..hub import code_block, escape, link_to, table
from .facts import BundleFacts, told

MODEL_NAMES = {"gpt2": "GPT-2", "llama": "Llama", "music_transformer": "Music Transformer"}


def about(facts: BundleFacts) -> str:
    """What it is."""
    names, _, _ = facts.trained_on
    trained = f", trained on {escape(names)}," if names else ""
    tokenization = f"{escape(facts.tokenization)} tokens" if facts.tokenization else "tokens"
    if facts.adapter:
        kind = escape(told(facts.adapter, str, "peft_type") or "peft")
        base = f" of {link_to(facts.base_model)}" if facts.base_model else ""
        base = " of the bundle that comes with neuromusic_hf" if _is_of_default(facts) else base
        text = f"An adapter ({kind}){base}{trained} that continues music: it reads and writes MIDI as {tokenization}."
    elif facts.config:
        kind = MODEL_NAMES.get(facts.model_type or "") or escape(facts.model_type or "language model")
        does = "continues pieces and fills in bars of them" if facts.infill_share else "continues pieces"
        text = f"A model of music ({kind}){trained} that {does}: it reads and writes MIDI as {tokenization}."
    else:
        text = f"A processor that turns MIDI into {tokenization}, and back."
    rows = [[escape(name), value] for name, value in _said(facts)]
    return f"{text}\n\n{table(['', ''], rows)}" if rows else text


def _said(facts: BundleFacts) -> list[tuple[str, str]]:
    sizes = facts.sizes
    rows = [
        ("parameters", facts.parameters and _large(facts.parameters)),
        ("layers", sizes.get("layers")),
        ("hidden size", sizes.get("hidden size")),
        ("attention heads", sizes.get("attention heads")),
        ("context", sizes.get("context") and f"{sizes['context']:,} tokens"),
        ("tokenization", facts.tokenization and escape(facts.tokenization)),
        ("vocabulary", facts.vocab_size and f"{facts.vocab_size:,} ids"),
        ("samples by", _sampling(facts)),
        ("vocabulary hash", facts.vocabulary_hash and f"`{facts.vocabulary_hash[:64]}`"),
    ]
    return [(name, str(value)) for name, value in rows if value]


def _sampling(facts: BundleFacts) -> str:
    if not facts.generation.get("do_sample"):
        return "the likeliest token" if facts.generation.get("do_sample") is False else ""
    said = {name: told(facts.generation, float, name) for name in ("temperature", "top_k", "top_p")}
    return ", ".join(f"`{name}` {value:g}" for name, value in said.items() if value is not None)


def use(facts: BundleFacts, repo_id: str) -> str:
    """How it is loaded from a repository, or as `"default"`, with this package and without, and what that trusts."""
    if not (facts.config or facts.adapter):
        code = (
            "from neuromusic_hf import MidiProcessor, write_midi\n\n"
            f'processor = MidiProcessor.from_pretrained("{repo_id}")\n'
            'ids = processor.encode("song.mid")\n'
            'write_midi(processor.decode(ids), "back.mid")'
        )
        return (
            f"## Use\n\nWith the package neuromusic_hf:\n\n{code_block(code, 'python')}\n\n{_own_class(facts)}".strip()
        )
    trust = ", trust_remote_code=True" if facts.needs_trust else ""
    named = "" if repo_id == DEFAULT else f', model="{repo_id}"{trust}'
    with_package = (
        "import neuromusic_hf\nfrom transformers import pipeline\n\n"
        f'continue_midi = pipeline("midi-continuation"{named})\n'
        'result = continue_midi("song.mid", prompt_bars=4, max_new_bars=8, seed=1)\n'
        'neuromusic_hf.write_midi(result["midi"], "longer.mid")'
    )
    if facts.infill_share:
        with_package += (
            f'\n\ninfill = pipeline("midi-infilling"{named})\n'
            'result = infill("song.mid", bars=(4, 8), seed=1)\n'
            'neuromusic_hf.write_midi(result["midi"], "other_bars.mid")'
        )
    if repo_id == DEFAULT:
        parts = ["## Use", "It plays where no model is named:", code_block(with_package, "python"), _trust(facts)]
        return "\n\n".join(parts)
    trust = ", trust_remote_code=True" if facts.code or _has_base_with_code(facts) else ""
    without = (
        "from transformers import pipeline\n\n"
        f'generate = pipeline("text-generation", model="{repo_id}"{trust})\n'
        '(result,) = generate("BOS_None", max_new_tokens=32)\n'
        'print(result["generated_text"])'
    )
    needs = " and `pip install peft`" if facts.adapter else ""
    parts = [
        "## Use",
        f"With the package neuromusic_hf{needs}, MIDI in and MIDI out:",
        code_block(with_package, "python"),
        _own_class(facts),
    ]
    if not _is_of_default(facts):
        parts += ["Without that package, token text in and token text out:", code_block(without, "python")]
    parts.append(_trust(facts))
    return "\n\n".join(part for part in parts if part)


def _trust(facts: BundleFacts) -> str:
    if _is_of_default(facts):
        return "No code of this repository runs: the weights are safetensors."
    if facts.adapter:
        base = f" ({link_to(facts.base_model)})" if facts.base_model else ""
        return (
            "**Trust.** No code of this repository runs: the weights are safetensors. Where that package is not "
            "imported, a base that ships code, as a Music Transformer does, needs `trust_remote_code=True`, which "
            f"runs code of the base's repository{base}: read it first."
        )
    if not facts.code:
        return "No code of this repository runs: the weights are safetensors, the model is one of transformers' own."
    files = ", ".join(f"[`{name}`]({quote(name)})" for name in facts.code)
    where = "" if facts.needs_trust else " where neuromusic_hf is not imported; where it is, the package's own is run"
    return (
        f"**Trust.** `trust_remote_code=True` runs code of this repository ({files}){where}. Read it first, and name "
        "the commit that you have read: `revision=`."
    )


def _is_of_default(facts: BundleFacts) -> bool:
    """Whether it is an adapter of the bundle that comes with this package."""
    return told(facts.adapter, str, "base_model_name_or_path") == DEFAULT


def _has_base_with_code(facts: BundleFacts) -> bool:
    """Whether an adapter says that its base is a model of this package, or another that transformers has not."""
    library = told(facts.adapter, str, "auto_mapping", "parent_library")
    return library is not None and not library.startswith("transformers.models.")


def _own_class(facts: BundleFacts) -> str:
    if "." not in (facts.tokenization or ""):
        return ""
    module = escape(facts.tokenization.rpartition(".")[0])
    return f"Its tokenizer is a class of one's own: import {module} before, or it is refused."


def _large(count: int) -> str:
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e6:.1f}M" if count < 1e9 else f"{count / 1e9:.2f}B"
