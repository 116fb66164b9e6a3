"""`pipeline("midi-continuation")`: MIDI in, MIDI that goes on out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..models.fit import longest_context
from ..models.origin import PIPELINE_TASK
from .clock import check_time
from .continuing import Continuation, ContinuationJob, ContinuationRequest
from .limits import MusicEndCriteria, MusicFollower
from .midi_pipeline import MidiPipeline
from .pieces import PieceInput
from .prompts import Prompt, PromptMaker, empty_prompt
from .streaming import FollowedStreamer


class MidiContinuationPipeline(MidiPipeline):
    """
    Continues music with a causal language model and its [`MidiProcessor`].

    Arguments may be given when the pipeline is made, or with a call, as of [`MidiPipeline`]. A piece ends with the
    tokenizer's EOS, and with what else the model's generation config names.

    Args:
        model, processor, kwargs: as of [`MidiPipeline`].

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

    TASK = PIPELINE_TASK
    VERB = "continue"

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
        return super().__call__(midi, **kwargs)

    def _request(self, parameters: dict) -> ContinuationRequest:
        request = ContinuationRequest.from_parameters(parameters)
        self._check(request)
        if request.limit:
            check_time(self.processor)
        return request

    def _job(self, piece: PieceInput, request: ContinuationRequest) -> ContinuationJob:
        prompt = self._prompt(piece, request)
        programs = self.controller.allowed_programs(request.control, prompt)
        settings = self._settings(request)
        room = request.room(len(prompt.ids), settings, longest_context(self.model.config))
        rows = settings.num_return_sequences or 1
        return ContinuationJob(prompt, programs, room, request.piece_seed(), rows)

    def _prompt(self, piece: PieceInput, request: ContinuationRequest) -> Prompt:
        control = request.control
        if piece.midi is None:
            return empty_prompt(piece.name, self.processor, control.tempo)
        score = piece.load()
        self.controller.check_instruments(score)
        complete = self.controller.complete_notes if control.restricts else None
        maker = PromptMaker(self.processor, request.prompt, tempo=control.tempo, trim=complete)
        return maker.make(piece.name, score)

    def _work(self, jobs: list[ContinuationJob], request: ContinuationRequest) -> list[Continuation]:
        if request.limit:
            jobs = [replace(job, music=self._follower(job.prompt, request)) for job in jobs]
        return [Continuation(generated) for generated in self._generate(jobs, request)]

    def _follower(self, prompt: Prompt, request: ContinuationRequest) -> MusicFollower:
        clock = self.controller.clock.copy()
        clock.set_tempo(prompt.tempo)
        for index in prompt.ids:
            clock.advance(index)
        return MusicFollower(request.limit.after(clock), clock)

    def _arguments(self, jobs: Sequence[ContinuationJob], request: ContinuationRequest, width: int) -> dict:
        arguments = super()._arguments(jobs, request, width)
        if request.limit:
            music = [job.music for job in jobs]
            criteria = MusicEndCriteria(music, width, self.processor.tokenizer.pad_token_id)
            given = arguments.get("stopping_criteria") or []
            arguments["stopping_criteria"] = [*given, criteria]
        return arguments

    def _begin_stream(self, streamer: FollowedStreamer, job: ContinuationJob):
        streamer.begin(job.prompt.tempo)
