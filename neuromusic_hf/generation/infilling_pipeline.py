"""`pipeline("midi-infilling")`: MIDI in, the same MIDI with new notes in some of its bars out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from ..models.fit import DEFAULT_INFILL_SHARE, longest_context, trained_infill_share
from ..models.origin import INFILLING_TASK
from ..music import RefusedFile, TempoMap
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor
from .arguments import with_eos
from .infill_control import InfillController
from .infill_prompts import SpanPromptMaker, quantised
from .infill_request import InfillRequest, Room, refused_as
from .infill_results import Infill, SpanJob, Take
from .midi_pipeline import MidiPipeline
from .piece_bars import PieceBars
from .pieces import PieceInput
from .prompts import PieceTempo
from .request import Refusal
from .streaming import FilePlace, FollowedStreamer


class MidiInfillingPipeline(MidiPipeline):
    """
    Fills in bars of music with a causal language model that was trained for it, and its [`MidiProcessor`].

    Arguments may be given when the pipeline is made, or with a call, as of [`MidiPipeline`]. A span ends with its last
    bar.

    Args:
        model, processor, kwargs: as of [`MidiPipeline`].

    Raises:
        `ValueError`: there is no processor, or it has another vocabulary than the model, or the model was never
            trained to fill in middles.

    Example:
    ```py
    >>> import neuromusic_hf
    >>> from transformers import pipeline
    >>> infill = pipeline("midi-infilling", model="runs/infill/bundle")
    >>> result = infill("song.mid", bars=(8, 12), instruments=["Cello"], seed=1)
    >>> neuromusic_hf.write_midi(result["midi"], "song_with_another_cello.mid")
    ```
    """

    TASK = INFILLING_TASK
    VERB = "fill in"
    CONTROLLER = InfillController

    controller: InfillController

    def __call__(self, midi=None, **kwargs) -> dict | list | Iterator:
        """
        Fills in bars of one piece or many.

        Notes that begin in the span are taken out, those of all tracks or of some instruments, and new ones put in
        their place. All else comes back as it was. Notes that begin before a span and sound into it stay.

        Args:
            midi (path, `bytes`, [`symusic.Score`], `dict`, or a list, data set or iterable of them):
                What to fill in; a `dict` holds `bytes` or `path`, and a `name` if it has one. One that is no row of a
                data set may hold `bars` and `instruments` of its own, which go before those of the call.
            bars (`tuple[int, int]`, `range`, `np.ndarray`, or sequence of them):
                The first bar, counted from 0, and the one after the last. Several spans are filled in one after the
                other, in the order given: what comes of one is the context of the next. Models are trained to fill
                in 8 bars at most; of a longer span the log warns.
            instruments (*optional*):
                As of [`Control`]: whose notes are taken out, and what the new ones are of, which the piece need not
                have; `"prompt"` for those that sound in it. If not given, the whole bars of all tracks. The model must
                have been trained on each that is named; parts that it never heard stay where none is.
            drums (`bool`, *optional*):
                Whether drums are among them, whatever `instruments` says; where that is not given, beside or without
                what else sounds in the piece.
            pitch_range, constrained (*optional*): as of [`Control`].
            context_bars (`int`, *optional*):
                Bars to tell the model on each side of a span; as many as fit if not given. For the span that leaves
                at least 128 tokens, and as many as it took before and one of the other instruments takes there; by
                default twice as many, as far as that is half of the context.
            max_new_tokens (`int`, *optional*):
                Most tokens of a span; by default what the model's generation config says, else what the context
                leaves. Where they run out, the rest of a span is left silent, so that it is complete; where they are
                fewer than that takes, or not `constrained`, it ends there, and `stopped_by` says so.
            seed (`int`, *optional*):
                The same seed and piece give the same notes, whatever else is in the batch. Drawn for each piece if not
                given; the result tells it.
            batch_size (`int`, *optional*, defaults to 1): pieces filled in together.
            num_return_sequences (`int`, *optional*): versions of each piece, which give a list for each.
            streamer ([`NoteStreamer`], *optional*): gets the notes as they are decided; one piece at a time.
            kwargs: further arguments of `model.generate()`.

        Returns:
            `dict`, or for a list a `list`, or for other iterables an iterator of:

            - **name** (`str`) -- of the file or row.
            - **midi** ([`symusic.Score`]) -- the piece with the new notes, in its own ticks.
            - **infilled**, **removed** ([`symusic.Score`]) -- the new notes, and those taken out, at their place.
            - **spans** (`list[dict]`) -- of each span **bars**, **ticks** and **seconds** (its beginning and end in
              the file), **programs** (those asked for, -1 for drums; `None` for all), **kept** (those that sound in
              the piece and stay, as the model never heard them), **new_notes**, **removed_notes**, **shortened** (new
              notes that ended where one that stays begins), **moved** (by a tick, into the span), **left_out**
              (`dict`: how many were not put in, and why), **token_ids**, **prompt_token_ids**, **stopped_by**
              (`"eom"` where it is complete, else what was reached), **entropy** (mean, in nats).
            - **changed** ([`Tally`]) -- what the tokenizer changed in the piece that the model was told: the result
              has the piece as it was.
            - **seed** (`int`), **seconds** (`float`) -- the batches took, divided by their prompts.

            An input of a list or stream that cannot be filled in gives `{"name", "skipped": {"reason", "detail"},
            "midi": None}` in its place. Reasons are those of reading a piece, and `no_such_bars`, `bars_too_short`,
            `meter_not_kept`, `prompt_too_long`, `no_notes`, `no_instruments`, `unknown_instruments`,
            `several_instruments`, `missing`; and `wrong_bars`, `wrong_instruments` for what a `dict` says itself.

        Raises:
            `ValueError`: an argument asks for what cannot be (before anything is computed), or a single piece cannot
                be filled in.
            `OSError`: a single piece cannot be read.
        """
        return super().__call__(midi, **kwargs)

    def _request(self, parameters: dict) -> InfillRequest:
        request = InfillRequest.from_parameters(parameters)
        self._check(request)
        request.check(self._settings(request))
        request.infill.warn_of_long_spans()
        return request

    def _follow_changes(self):
        super()._follow_changes()
        check_trained(self.model, self.processor)
        self.prompts = SpanPromptMaker(self.processor)

    def _ends(self, settings: GenerationConfig, said: bool) -> list[int]:
        return with_eos(settings.eos_token_id, self.processor.infill_ids.end)

    def _job(self, piece: PieceInput, request: InfillRequest) -> Infill:
        if piece.midi is None:
            raise RefusedFile("missing", "there is no piece to fill in: give one")
        of_call, request = request, request.of_piece(piece)
        if request.control is not of_call.control:
            with refused_as("wrong_instruments"):
                self.controller.check(request.control)
        if request.infill is not of_call.infill:
            request.infill.warn_of_long_spans()
        score, end = piece.load_with_end()
        self.controller.check_instruments(score)
        written = quantised(score, self.processor)
        infill = Infill(
            piece=piece,
            request=request,
            where=PieceBars.of(score, end, written, self.processor),
            asked=self.controller.asked_programs(request.control, score),
            changed=self.processor.encoder.tally(ScoreArrays.of(score), written),
            seed=request.piece_seed(),
            takes=(Take(score),),
        )
        for bars in request.infill.spans:
            infill.where.ticks(bars)
        return self._with_jobs(infill, rows=self._settings(request).num_return_sequences or 1)

    def _with_jobs(self, infill: Infill, rows: int = 1) -> Infill:
        """With a job for each take, if there is another span; at the first there is one, for all rows."""
        request, number = infill.request, infill.next_span
        if number is None:
            return infill
        bars = request.infill.spans[number]
        room = Room.of(self._settings(request), longest_context(self.model.config))
        jobs = []
        for row, take in enumerate(infill.takes):
            prompt, most_tokens = self.prompts.make(
                take.score,
                infill.where,
                bars,
                told=infill.asked.told,
                replaced=infill.asked.replaced,
                context_bars=request.infill.context_bars,
                room=room,
            )
            jobs.append(
                SpanJob(
                    prompt=prompt,
                    programs=infill.asked.allowed,
                    max_new_tokens=most_tokens,
                    seed=infill.seed,
                    rows=rows,
                    first_row=row,
                    part=number,
                    bars=bars,
                    ticks=infill.where.ticks(bars),
                    asked=infill.asked,
                    take=take,
                    is_last=number + 1 == len(request.infill.spans),
                )
            )
        return replace(infill, jobs=tuple(jobs))

    def _work(self, jobs: list[Infill], request: InfillRequest) -> list[Infill | Refusal]:
        done: list[Infill | Refusal] = list(jobs)
        while going := [(place, each) for place, each in enumerate(done) if isinstance(each, Infill) and each.jobs]:
            generated = iter(self._generate([job for _, infill in going for job in infill.jobs], request))
            for place, infill in going:
                after = infill.after([next(generated) for _ in infill.jobs], self.processor)
                try:
                    done[place] = self._with_jobs(after)
                except RefusedFile as refused:
                    done[place] = self._refusal(infill.piece, refused)
        return done

    def _logits_processors(self, jobs: Sequence[SpanJob], request: InfillRequest) -> list[LogitsProcessor]:
        prompts, programs = [job.prompt for job in jobs], [job.programs for job in jobs]
        return self.controller.span_processors(request.control, prompts, programs, jobs[0].max_new_tokens)

    def _begin_stream(self, streamer: FollowedStreamer, job: SpanJob):
        prompt, (start, _), score = job.prompt, job.ticks, job.take.score
        place = FilePlace(
            prompt.prefix, prompt.start_in(self.processor.music_tokenizer.time_division), start, TempoMap.of(score)
        )
        streamer.begin(PieceTempo(), place, goes_on=not job.is_last)


def check_trained(model: PreTrainedModel, processor: MidiProcessor):
    """Raises `ValueError` where a model was never trained to fill in middles, or a processor has no tokens for it."""
    if processor.infill_ids is None or not trained_infill_share(model.config):
        name = model.name_or_path
        raise ValueError(
            f"{name or 'This model'} was never trained to fill in bars. Train it on for that: python scripts/train.py "
            f"--model {name or 'FOLDER'} --infill_share {DEFAULT_INFILL_SHARE} --corpus CORPUS --output_dir RUN"
        )
