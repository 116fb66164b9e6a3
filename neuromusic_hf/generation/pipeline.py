"""`pipeline("midi-continuation")`: MIDI in, MIDI that goes on out."""

import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from huggingface_hub import CommitInfo
from transformers import GenerationConfig, Pipeline, PreTrainedConfig, PreTrainedModel
from transformers.pipelines import PIPELINE_REGISTRY

from ..bundles.bundle import find_bundle, save_bundle
from ..bundles.pipeline_file import CustomPipelines
from ..bundles.push import push_bundle
from ..bundles.push_routes import SAVING_AND_PUSHING
from ..disk import user_path
from ..hub import check_revision
from ..models.adapters import AutoMusicModel, find_processor
from ..models.fit import check_match, longest_context
from ..models.origin import PIPELINE_TASK, remember_processor, trace_loaded_models
from ..models.sampling import read_sampling, unsaid_sampling
from ..music import RefusedFile
from ..tokenization import MidiProcessor
from .arguments import check_arguments, settings_in_force, with_eos
from .clock import check_time
from .control import Controller
from .decoding import generate_rows
from .limits import MusicEndCriteria, MusicFollower
from .pieces import PieceInput, as_pieces
from .prompts import Prompt, PromptMaker, empty_prompt
from .request import Generated, Job, Refusal, Request
from .streaming import followed

DRAWN_SEED_BITS = 32


class MidiContinuationPipeline(Pipeline):
    """
    Continues music with a causal language model and its [`MidiProcessor`].

    Arguments may be given when the pipeline is made, or with a call, which goes before. Those not named here are
    arguments of `model.generate()`, and go before what `model.generation_config` says at the moment of the call. What
    a model from elsewhere does not say there is as in a bundle made here: sampled from the model's own distribution
    over all tokens. A `generation_config` that is given is obeyed whole, as `generate()` does. A piece ends with the
    tokenizer's EOS, and with what else the model's generation config names.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        processor ([`MidiProcessor`], `str` or `Path`, *optional*): its own, or where that lies; else found beside it.
        kwargs: of [`~transformers.Pipeline`] (`device`, `batch_size`, ...), and defaults for the arguments of calls.

    Raises:
        `ValueError`: there is no processor, or it has another vocabulary than the model.

    Example:
    ```py
    >>> import neuromusic_hf
    >>> from transformers import pipeline
    >>> continue_midi = pipeline("midi-continuation", model="runs/quickstart/bundle")
    >>> result = continue_midi("song.mid", prompt_bars=4, max_new_bars=8, seed=1)
    >>> neuromusic_hf.write_midi(result["midi"], "longer.mid")
    ```
    """

    _load_processor = False
    _load_tokenizer = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_video_processor = False
    _pipeline_calls_generate = True

    def __init__(self, model: PreTrainedModel, processor: MidiProcessor | str | Path | None = None, **kwargs):
        if isinstance(processor, str | Path):
            processor = MidiProcessor.from_pretrained(processor)
        processor = processor or find_processor(model)
        check_match(model, processor)
        remember_processor(model, processor)
        if model.device.type == "meta":  # offloaded: its weights come from elsewhere, layer by layer
            kwargs["device"] = model.device
        super().__init__(model=model, processor=processor, **kwargs | {"tokenizer": processor.tokenizer})
        self.controller = Controller(processor)
        self._request(self._preprocess_params)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        trust_remote_code: bool = False,
        model_kwargs: dict | None = None,
        **kwargs,
    ) -> "MidiContinuationPipeline":
        """
        Loads a bundle, as `pipeline("midi-continuation", model=name)` does.

        It says more of what is wrong where one cannot be pulled, and `revision` may be an adapter's.

        Args:
            name (`str` or `Path`): folder or Hub id of a bundle or an adapter, or the folder of a training run.
            revision (`str`, *optional*): its branch, tag or commit on the Hub; main if not given.
            token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.
            trust_remote_code (`bool`, *optional*, defaults to `False`): run code that the repository ships.
            model_kwargs (`dict`, *optional*): further arguments of `AutoModelForCausalLM.from_pretrained`.
            kwargs: of [`MidiContinuationPipeline`].

        Raises:
            [`PullError`]: it cannot be pulled from the Hub.
            `ValueError`: it is no bundle, or its parts do not fit, or a folder is asked for a revision.
            `OSError`: there is no such folder, or a file is missing.
        """
        given = {"revision": revision, "token": token, "trust_remote_code": trust_remote_code, **(model_kwargs or {})}
        name = find_bundle(name)
        check_revision(name, revision)
        model = AutoMusicModel.from_pretrained(name, **given)
        return cls(model, task=PIPELINE_TASK, **kwargs)

    @property
    def generation_config(self) -> GenerationConfig:
        """The model's own."""
        return self.model.generation_config

    @generation_config.setter
    def generation_config(self, config: GenerationConfig):
        self.model.generation_config = config

    def __call__(self, midi=None, **kwargs) -> dict | list | Iterator:
        """
        Continues one piece or many.

        Args:
            midi (path, `bytes`, [`symusic.Score`], `dict`, or a list, data set or iterable of them, *optional*):
                What to continue; a `dict` holds `bytes` or `path`, and a `name` if it has one. Of a data set, a column
                or a generator, also a streamed one, pieces are read when it is their turn. Without it, music begins
                from nothing.
            prompt_length, prompt_seconds, prompt_bars, prompt_from, original_length:
                How much of a piece is the prompt, as of [`PromptSettings`]; the whole piece by default.
            max_new_tokens (`int`, *optional*):
                Most tokens to add; by default what the model's generation config says, else what its context leaves,
                512 at most. The model may end the piece before.
            max_new_bars, max_new_seconds (*optional*): most music to add, as of [`MusicLimit`].
            instruments, drums, pitch_range, tempo, constrained (*optional*): as of [`Control`].
            seed (`int`, *optional*):
                The same seed and prompt give the same notes, whatever else is in the batch. Drawn for each prompt if
                not given; the result tells it.
            batch_size (`int`, *optional*, defaults to 1): prompts continued together; their lengths may differ.
            num_return_sequences (`int`, *optional*): continuations of each prompt, which give a list for each.
            streamer ([`NoteStreamer`], *optional*): gets the notes as they are decided; one piece at a time.
            kwargs: further arguments of `model.generate()`.

        Returns:
            `dict`, or for a list a `list`, or for other iterables an iterator of:

            - **name** (`str`) -- of the file or row.
            - **midi** ([`symusic.Score`]) -- prompt and continuation.
            - **continuation** ([`symusic.Score`]) -- the new notes, from the bar in which they begin.
            - **prompt**, **original** ([`symusic.Score`]) -- the prompt, and how the piece itself goes on.
            - **token_ids**, **prompt_token_ids**, **original_token_ids** (`list[int]`) -- new ones without EOS.
            - **ended_with_eos** (`bool`), **stopped_by** (`str`) -- `"eos"`, or the argument that was reached.
            - **entropy** (`float`) -- of the model's own distribution over the next token, mean in nats.
            - **changed** ([`Tally`]) -- what the tokenizer changed in the piece given, the whole of it: what was not
              kept of its notes, lengths, meters and tempos. False where nothing was; `str()` says it in one line.
            - **seed** (`int`), **seconds** (`float`) -- the batch took, divided by its prompts.

            An input of a list or stream that cannot be continued gives `{"name", "skipped": {"reason", "detail"},
            "midi": None}` in its place.

        Raises:
            `ValueError`: an argument asks for what cannot be (before anything is computed), or a single piece cannot
                be continued.
            `OSError`: a single piece cannot be read.
        """
        with followed(kwargs.get("streamer", self._preprocess_params.get("streamer"))) as streamer:
            pieces = as_pieces(midi)
            if isinstance(pieces, list) and not pieces:
                return []
            if streamer is None:
                return super().__call__(pieces, **kwargs)
            if not isinstance(pieces, PieceInput):
                raise ValueError("A streamer follows one piece: give it one, not a list.")
            return super().__call__(pieces, **kwargs | {"streamer": streamer})

    def sampling_in_force(self, **arguments) -> dict:
        """
        How a call would choose tokens: what is given with it, and what pipeline and model say of the rest.

        Args:
            arguments: of `model.generate()`, as they would be given with the call.

        Returns:
            `dict` of plain JSON values: `do_sample`; where that is true `temperature`, `top_k` and `top_p`; and what
            else is set (`num_beams`, `min_p`, `repetition_penalty`, ...).
        """
        self._follow_changes()
        return read_sampling(settings_in_force(self.model, self._prepare_generate_kwargs(arguments)))

    def save_pretrained(self, save_directory, **kwargs):
        """Saves a whole bundle, as [`save_bundle`]; `push_to_hub` pushes it to `repo_id`, as `push_to_hub()` does."""
        pushing = {name: kwargs.pop(name) for name in SAVING_AND_PUSHING if name in kwargs}
        pushes = kwargs.pop("push_to_hub", False)
        save_bundle(self.model, self.processor, save_directory, **kwargs)
        if pushes:
            self.push_to_hub(**{"repo_id": user_path(save_directory).name} | pushing)

    def push_to_hub(self, repo_id: str, **kwargs) -> CommitInfo:
        """Pushes a whole bundle, as [`push_bundle`]."""
        return push_bundle(self.model, repo_id, self.processor, **kwargs)

    def _sanitize_parameters(self, **parameters):
        assistants = {"assistant_model": self.assistant_model, "assistant_tokenizer": self.assistant_tokenizer}
        return {name: value for name, value in assistants.items() if value is not None} | parameters, {}, {}

    def run_single(self, piece: PieceInput, preprocess_params: dict, forward_params: dict, postprocess_params: dict):
        """The result of one piece. transformers calls this with the arguments of pipeline and call, merged."""
        request = {"request": self._request(preprocess_params)}
        return super().run_single(piece, request, request, {})

    def get_iterator(
        self, pieces, num_workers: int, batch_size: int, preprocess_params: dict, forward_params, postprocess_params
    ) -> Iterator:
        """The results one after another, made when they are asked for; as `run_single`."""
        request = {"request": self._request(preprocess_params)}
        results = super().get_iterator(pieces, num_workers, batch_size, request, request, {})
        results.loader.loader.generator = torch.Generator()  # or it draws from the random numbers of the process
        return results

    def _request(self, parameters: dict) -> Request:
        """What parameters ask for. Raises `ValueError` where that cannot be, whatever the piece."""
        request = Request.from_parameters(parameters)
        self._follow_changes()
        check_arguments(self.model, self._prepare_generate_kwargs(request.generation))
        self.controller.check(request.control)
        if request.limit:
            check_time(self.processor)
        return request

    def _follow_changes(self):
        """Model and processor may be others than before."""
        check_match(self.model, self.processor)
        if self.controller.processor is not self.processor:
            self.controller = Controller(self.processor)
        self.controller.trained_programs = getattr(self.model.config, "trained_programs", None)
        roles = ("pad_token_id", "bos_token_id")
        self._generation_defaults = {name: getattr(self.processor.tokenizer, name) for name in roles}

    def _prepare_generate_kwargs(self, generate_kwargs: dict, **overrides) -> dict:
        given = generate_kwargs if "generation_config" in generate_kwargs else self._generate_kwargs | generate_kwargs
        settings = settings_in_force(self.model, given)
        added = unsaid_sampling(settings) if given.get("generation_config") is None else {}
        if settings.stop_strings and given.get("tokenizer") is None:
            added["tokenizer"] = self.processor.tokenizer
        if "eos_token_id" not in given and getattr(given.get("generation_config"), "eos_token_id", None) is None:
            overrides["eos_token_id"] = with_eos(settings.eos_token_id, self.processor.tokenizer.eos_token_id)
        return super()._prepare_generate_kwargs(given | added, **overrides)

    def _settings(self, request: Request) -> GenerationConfig:
        """What is in force for a request, the model's own settings included."""
        return settings_in_force(self.model, self._prepare_generate_kwargs(request.generation))

    def preprocess(self, piece: PieceInput, request: Request) -> dict:
        """Makes the prompt of a piece, or refuses it."""
        try:
            prompt = self._prompt(piece, request)
            programs = self.controller.allowed_programs(request.control, prompt)
            seed = secrets.randbits(DRAWN_SEED_BITS) if request.seed is None else request.seed
            room = request.room(len(prompt.ids), self._settings(request), longest_context(self.model.config))
            return {"job": Job(prompt, programs, room, seed)}
        except RefusedFile as refused:
            if piece.index is None:
                raise ValueError(f"Cannot continue {piece.path or piece.name}: {refused}.") from refused
            return {"job": Refusal(piece.name, refused.reason, refused.detail)}
        except OSError as error:
            if piece.index is None:
                raise
            return {"job": Refusal(piece.name, "unreadable", str(error))}

    def _prompt(self, piece: PieceInput, request: Request) -> Prompt:
        control = request.control
        if piece.midi is None:
            return empty_prompt(piece.name, self.processor, control.tempo)
        score = piece.load()
        self.controller.check_instruments(score)
        complete = self.controller.complete_notes if control.restricts else None
        maker = PromptMaker(self.processor, request.prompt, tempo=control.tempo, trim=complete)
        return maker.make(piece.name, score)

    def _forward(self, inputs: dict, request: Request) -> dict:
        jobs = inputs["job"] if isinstance(inputs["job"], list) else [inputs["job"]]
        outcomes = [job if isinstance(job, Refusal) else None for job in jobs]
        by_room = {}
        for index, job in enumerate(jobs):
            if isinstance(job, Job):
                by_room.setdefault(job.max_new_tokens, []).append(index)
        for indices in by_room.values():
            generated = self._generate([jobs[index] for index in indices], request)
            for index, outcome in zip(indices, generated, strict=True):
                outcomes[index] = outcome
        return {"outcome": outcomes}

    def _generate(self, jobs: Sequence[Job], request: Request) -> list[Generated]:
        started = time.perf_counter()
        inputs = self.processor.pad(
            {"input_ids": [job.prompt.ids for job in jobs]}, padding_side="left", return_tensors="pt"
        ).to("cpu" if self.model.device.type == "meta" else self.model.device)
        width = inputs["input_ids"].shape[1]
        music = [self._follower(job.prompt, request) for job in jobs] if request.limit else []
        arguments = self._arguments(jobs, request, music, width)
        rows = self._settings(request).num_return_sequences or 1
        seeds = [job.row_seed(number) for job in jobs for number in range(rows)]
        generated = generate_rows(self.model, inputs["input_ids"], inputs["attention_mask"], seeds=seeds, **arguments)
        seconds = (time.perf_counter() - started) / len(jobs)
        new, entropies = generated.sequences[:, width:].cpu().split(rows), generated.entropies.split(rows)
        followers = music or [None] * len(jobs)
        return [Generated(*parts, seconds) for parts in zip(jobs, new, entropies, followers, strict=True)]

    def _follower(self, prompt: Prompt, request: Request) -> MusicFollower:
        clock = self.controller.clock.copy()
        clock.set_tempo(prompt.tempo)
        for index in prompt.ids:
            clock.advance(index)
        return MusicFollower(request.limit.after(clock), clock)

    def _arguments(self, jobs: Sequence[Job], request: Request, music: list[MusicFollower], width: int) -> dict:
        """Those of `generate()`."""
        pad = self.processor.tokenizer.pad_token_id
        arguments = self._prepare_generate_kwargs(
            request.generation,
            max_new_tokens=jobs[0].max_new_tokens,
            max_length=None,
            pad_token_id=pad,  # results know it from notes
        )
        processors = self.controller.logits_processors(request.control, [job.programs for job in jobs])
        arguments["logits_processor"] = [*(arguments.get("logits_processor") or []), *processors]
        if music:
            criteria = MusicEndCriteria(music, width, pad)
            arguments["stopping_criteria"] = [*(arguments.get("stopping_criteria") or []), criteria]
        if arguments.get("streamer") is not None:
            arguments["streamer"].begin(jobs[0].prompt.tempo)
        return arguments

    def postprocess(self, outputs: dict) -> dict | list[dict]:
        """Decodes what was generated for one prompt."""
        outcome = outputs["outcome"]
        if isinstance(outcome, list):
            (outcome,) = outcome
        if isinstance(outcome, Refusal):
            return outcome.as_result()
        results = outcome.results(self.processor)
        return results if len(results) > 1 else results[0]


def register_pipeline():
    """
    Registers `pipeline("midi-continuation")`, for bundles with their own copy of its code and without.

    Models that are loaded from then on remember where they come from.
    """
    PIPELINE_REGISTRY.register_pipeline(
        PIPELINE_TASK, pipeline_class=MidiContinuationPipeline, pt_model=AutoMusicModel
    )
    PreTrainedConfig.custom_pipelines = CustomPipelines()
    trace_loaded_models()
