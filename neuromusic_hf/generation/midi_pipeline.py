"""What the pipelines of music share: what they are asked, and how a batch goes through the model."""

import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from ..models.fit import check_match
from ..models.sampling import read_sampling, unsaid_sampling
from ..music import RefusedFile
from ..tokenization import MidiProcessor
from .arguments import check_arguments, settings_in_force, with_eos
from .bundle_pipeline import BundlePipeline
from .control import Controller
from .decoding import generate_rows
from .pieces import PieceInput, as_pieces
from .request import Generated, Job, Refusal, Request
from .streaming import FollowedStreamer, followed


class MidiPipeline(BundlePipeline):
    """
    A pipeline that takes pieces of music and gives them back with what a model has added.

    Arguments may be given when it is made, or with a call, which goes before. Those not named here are arguments of
    `model.generate()`, and go before what `model.generation_config` says at the moment of the call. What a model from
    elsewhere does not say there is as in a bundle made here: sampled from the model's own distribution over all
    tokens. A `generation_config` that is given is obeyed whole, as `generate()` does.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        processor ([`MidiProcessor`], `str` or `Path`, *optional*): its own, or where that lies; else found beside it.
        kwargs: of [`~transformers.Pipeline`] (`device`, `batch_size`, ...), and defaults for the arguments of calls.

    Raises:
        `ValueError`: there is no processor, or it has another vocabulary than the model.
    """

    VERB: ClassVar[str]
    """What it does to a piece."""
    CONTROLLER: ClassVar[type[Controller]] = Controller
    """What holds the model to what is wished for."""

    def __init__(self, model: PreTrainedModel, processor: MidiProcessor | str | Path | None = None, **kwargs):
        super().__init__(model, processor, **kwargs)
        self.controller = self.CONTROLLER(self.processor)
        self._check_defaults(self._preprocess_params)

    def __call__(self, midi=None, **kwargs) -> dict | list | Iterator:
        """The results of one piece or many, with arguments as the pipeline that derives from this says."""
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

    def _check_defaults(self, parameters: dict):
        """Raises `ValueError` where what was given when the pipeline was made cannot be."""
        self._request(parameters)

    @abstractmethod
    def _request(self, parameters: dict) -> Request:
        """What parameters ask for. Raises `ValueError` where that cannot be, whatever the piece."""

    def _check(self, request: Request):
        """Raises `ValueError` where model, processor or `generate()` cannot do what is asked for."""
        self._follow_changes()
        check_arguments(self.model, self._prepare_generate_kwargs(request.generation))
        self.controller.check(request.control)

    def _follow_changes(self):
        """Model and processor may be others than before."""
        check_match(self.model, self.processor, self.TASK)
        if self.controller.processor is not self.processor:
            self.controller = self.CONTROLLER(self.processor)
        self.controller.trained_programs = getattr(self.model.config, "trained_programs", None)
        roles = ("pad_token_id", "bos_token_id")
        self._generation_defaults = {name: getattr(self.processor.tokenizer, name) for name in roles}

    def _prepare_generate_kwargs(self, generate_kwargs: dict, **overrides) -> dict:
        given = generate_kwargs if "generation_config" in generate_kwargs else self._generate_kwargs | generate_kwargs
        settings = settings_in_force(self.model, given)
        added = unsaid_sampling(settings) if given.get("generation_config") is None else {}
        if settings.stop_strings and given.get("tokenizer") is None:
            added["tokenizer"] = self.processor.tokenizer
        said = "eos_token_id" in given or getattr(given.get("generation_config"), "eos_token_id", None) is not None
        if (ends := self._ends(settings, said)) is not None:
            overrides["eos_token_id"] = ends
        return super()._prepare_generate_kwargs(given | added, **overrides)

    def _ends(self, settings: GenerationConfig, said: bool) -> list[int] | None:
        """The ids that end a row; `None` to leave what settings have, which the caller may have `said`."""
        return None if said else with_eos(settings.eos_token_id, self.processor.tokenizer.eos_token_id)

    def _settings(self, request: Request) -> GenerationConfig:
        """What is in force for a request, the model's own settings included."""
        return settings_in_force(self.model, self._prepare_generate_kwargs(request.generation))

    def preprocess(self, piece: PieceInput, request: Request) -> dict:
        """Makes the job of a piece, or refuses it."""
        try:
            return {"job": self._job(piece, request)}
        except RefusedFile as refused:
            return {"job": self._refusal(piece, refused)}
        except OSError as error:
            if piece.index is None:
                raise
            return {"job": Refusal(piece.name, "unreadable", str(error))}

    def _refusal(self, piece: PieceInput, refused: RefusedFile) -> Refusal:
        """What stands for a piece of a list; one that is alone raises `ValueError`."""
        if piece.index is None:
            raise ValueError(f"Cannot {self.VERB} {piece.path or piece.name}: {refused}.") from refused
        return Refusal(piece.name, refused.reason, refused.detail)

    @abstractmethod
    def _job(self, piece: PieceInput, request: Request) -> Any:
        """What is to be done for a piece. Raises [`RefusedFile`] where that cannot be."""

    def _forward(self, inputs: dict, request: Request) -> dict:
        jobs = inputs["job"] if isinstance(inputs["job"], list) else [inputs["job"]]
        outcomes = list(jobs)
        accepted = [index for index, job in enumerate(jobs) if not isinstance(job, Refusal)]
        done = self._work([jobs[index] for index in accepted], request)
        for index, outcome in zip(accepted, done, strict=True):
            outcomes[index] = outcome
        return {"outcome": outcomes}

    @abstractmethod
    def _work(self, jobs: list, request: Request) -> Sequence:
        """What becomes of the jobs of a batch: each has a method `results`, or is a [`Refusal`]."""

    def _generate(self, jobs: Sequence[Job], request: Request) -> list[Generated]:
        """What the model adds to each prompt; those go through it together that may be as long."""
        generated: list[Generated | None] = [None] * len(jobs)
        together: dict[tuple[int, int], list[int]] = {}
        for index, job in enumerate(jobs):
            together.setdefault((job.max_new_tokens, job.rows), []).append(index)
        for indices in together.values():
            for index, each in zip(indices, self._generate_together([jobs[i] for i in indices], request), strict=True):
                generated[index] = each
        return generated

    def _generate_together(self, jobs: Sequence[Job], request: Request) -> list[Generated]:
        started = time.perf_counter()
        inputs = self.processor.pad(
            {"input_ids": [job.prompt.ids for job in jobs]}, padding_side="left", return_tensors="pt"
        ).to("cpu" if self.model.device.type == "meta" else self.model.device)
        width, rows = inputs["input_ids"].shape[1], jobs[0].rows
        arguments = self._arguments(jobs, request, width)
        seeds = [seed for job in jobs for seed in job.row_seeds]
        generated = generate_rows(self.model, inputs["input_ids"], inputs["attention_mask"], seeds=seeds, **arguments)
        seconds = (time.perf_counter() - started) / len(jobs)
        new, entropies = generated.sequences[:, width:].cpu().split(rows), generated.entropies.split(rows)
        return [Generated(*parts, seconds) for parts in zip(jobs, new, entropies, strict=True)]

    def _arguments(self, jobs: Sequence[Job], request: Request, width: int) -> dict:
        """Those of `generate()` for prompts that are padded to a width."""
        arguments = self._prepare_generate_kwargs(
            request.generation,
            max_new_tokens=jobs[0].max_new_tokens,
            max_length=None,
            num_return_sequences=jobs[0].rows,
            pad_token_id=self.processor.tokenizer.pad_token_id,  # results know it from notes
        )
        processors = self._logits_processors(jobs, request)
        arguments["logits_processor"] = [*(arguments.get("logits_processor") or []), *processors]
        if arguments.get("streamer") is not None:
            self._begin_stream(arguments["streamer"], jobs[0])
        return arguments

    def _logits_processors(self, jobs: Sequence[Job], request: Request) -> list[LogitsProcessor]:
        """What holds the rows of prompts to what was wished for."""
        return self.controller.logits_processors(request.control, [job.programs for job in jobs])

    @abstractmethod
    def _begin_stream(self, streamer: FollowedStreamer, job: Job):
        """Tells a streamer what it is about to follow."""

    def postprocess(self, outputs: dict) -> dict | list[dict]:
        """Decodes what was generated for one piece."""
        outcome = outputs["outcome"]
        if isinstance(outcome, list):
            (outcome,) = outcome
        if isinstance(outcome, Refusal):
            return outcome.as_result()
        results = outcome.results(self.processor)
        return results if len(results) > 1 else results[0]
