"""A Trainer that pushes bundles, and nothing else."""

import logging
import shlex
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import yaml
from huggingface_hub import CommitInfo, HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from transformers.trainer_utils import HubStrategy, SaveStrategy

from ..bundles import bundle_files, push_bundle, write_card
from ..bundles.files import RECIPE_NAME, RUN_NAME
from ..checkpoints.saving import PUSHING_NAME, link_or_copy
from ..disk import by_main_process, write_json, write_whole
from ..hub import make_repository
from ..options.arguments import RunArguments
from .run_record import run_record
from .streaming_trainer import StreamingTrainer

logger = logging.getLogger(__name__)

PUSH_ERRORS = (OSError, ValueError, HTTPError, RuntimeError)
"""What keeps a push from coming through: the Hub and the way to it (a large file that cannot be sent is a
`RuntimeError`), or something in the bundle that is not pushed."""


def prepare_repository(args: RunArguments, token: str | None = None, private: bool | None = None) -> str:
    """
    Makes the repository that a run pushes to, where it is missing, and sees whether the run may write there.

    Args:
        args ([`RunArguments`]): name the repository, its branch, and whether it is private.
        token (`str`, *optional*): in place of theirs.
        private (`bool`, *optional*): in place of theirs.

    Returns:
        `str`: its whole id.

    Raises:
        `ValueError`: it may not, or the Hub cannot be reached.
    """
    name, token = args.hub_model_id or Path(args.output_dir).absolute().name, token or args.hub_token
    private = args.hub_private_repo if private is None else private
    try:
        name = make_repository(name, private=private, revision=args.hub_revision, token=token)
        HfApi(token=token).auth_check(name, write=True)
    except PUSH_ERRORS as error:
        raise ValueError(
            f"This run could not be pushed to {name}: {error}\nGive a token that may write there (the variable "
            "HF_TOKEN, or hf auth login) and --hub_model_id user/name; or leave --push_to_hub out, and push the "
            "bundle of the run later."
        ) from error
    return name


class PushingTrainer(StreamingTrainer):
    """
    [`~transformers.Trainer`] whose pushes are whole bundles: that of the run, and those of checkpoints if wanted.

    A push of a checkpoint goes on beside the training. One that fails is told, and training goes on; a push of the
    bundle that fails is an error, of the `Future` where it goes on beside.

    Attributes:
        failed_pushes (list of `dict`): step and reason of those of checkpoints.
    """

    def __init__(self, *args, **kwargs):
        self.failed_pushes: list[dict] = []
        self._pushes: list[Future] = []
        self._pusher = ThreadPoolExecutor(max_workers=1)
        super().__init__(*args, **kwargs)

    def progress(self) -> dict:
        """As [`SavingTrainer.progress`], and the pushes of earlier checkpoints that failed."""
        return {**super().progress(), "failed_pushes": [*self.failed_pushes]}

    def init_hf_repo(self, token: str | None = None, private: bool | None = None):
        """As [`~transformers.Trainer.init_hf_repo`]; refuses a repository that the run may not write to."""
        self.hub_model_id = by_main_process(lambda: prepare_repository(self.args, token, private))

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False):
        """As [`SavingTrainer.save_model`]; with `push_to_hub` the bundle is pushed."""
        if self._staging is None:
            by_main_process(self.finish_pushes)
        super().save_model(output_dir, _internal_call)
        if self.args.push_to_hub and not _internal_call:
            self._push(Path(output_dir or self.bundle_dir), "Model save")

    def create_model_card(self):
        """Writes the card of the bundle that was saved, from its files; what you wrote into it stays."""
        if self.is_world_process_zero():
            write_card(self.bundle_dir, self.hub_model_id)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        tags: list[str] | None = None,
    ) -> CommitInfo | Future | None:
        """
        Saves the bundle and pushes it, with its card.

        Args:
            commit_message (`str`, *optional*): of the commit.
            blocking (`bool`, *optional*, defaults to `True`): wait for the end of the push.
            token (`str`, *optional*): in place of the argument `hub_token`.
            revision (`str`, *optional*): branch, in place of the argument `hub_revision`.
            private (`bool`, *optional*): whether a new repository is, in place of the argument `hub_private_repo`.
            tags (`list[str]`, *optional*): for the card, beside its own.

        Returns:
            The commit, or the `Future` of it if not `blocking`; on the main process.

        Raises:
            `RuntimeError`: it was not pushed; the message says how to push it later.
        """
        if self.hub_model_id is None:
            self.init_hf_repo(token, private)
        self.save_model(_internal_call=True)
        pushing = {"token": token, "revision": revision, "tags": tags or ()}
        return self._push(self.bundle_dir, commit_message, blocking, **pushing)

    def finish_pushes(self):
        """Waits for pushes that go on beside; one that failed is told."""
        if self._is_pushing():
            logger.info("Waiting for the last push.")
        while self._pushes:
            try:
                self._pushes.pop(0).result()
            except RuntimeError as error:  # whoever asked for the push has it too
                logger.warning("%s", error)
        shutil.rmtree(Path(self.args.output_dir, PUSHING_NAME), ignore_errors=True)

    def _is_pushing(self) -> bool:
        return not all(push.done() for push in self._pushes)

    def _finish_current_push(self):
        by_main_process(self.finish_pushes)

    def _push(self, folder: Path, message: str | None, blocking: bool = True, **changed) -> CommitInfo | Future | None:
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        self.finish_pushes()

        def push():
            try:
                return self._push_folder(folder, message, **changed)
            except PUSH_ERRORS as error:
                revision = changed.get("revision") or self.args.hub_revision
                again = ["python", "scripts/push_bundle.py", str(folder), self.hub_model_id]
                again += ["--revision", revision] if revision else []
                raise RuntimeError(
                    f"The bundle is whole in {folder}, but was not pushed to {self.hub_model_id}: {error}\n"
                    f"Push it later: {shlex.join(again)}"
                ) from error

        if blocking:
            done: list[CommitInfo] = []
            by_main_process(lambda: done.append(push()))
            return done[0] if done else None
        if not self.is_world_process_zero():
            return None
        self._pushes.append(future := self._pusher.submit(push))
        return future

    def _push_folder(self, folder: Path, message: str | None, **changed) -> CommitInfo:
        of_run = {"token": self.args.hub_token, "revision": self.args.hub_revision}
        changed = {name: value for name, value in changed.items() if value is not None}
        return push_bundle(folder, self.hub_model_id, commit_message=message, **of_run | changed)

    def _push_from_checkpoint(self, checkpoint_folder: str):
        ending = self.args.hub_strategy == HubStrategy.END
        if self._staging is not None or ending or not (self.args.push_to_hub and self.is_world_process_zero()):
            return
        step = self.state.global_step
        if self._is_pushing() and not self.args.hub_always_push:
            logger.info("checkpoint-%d is not pushed, as the one before is on its way (hub_always_push).", step)
            return
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        by_steps = self.args.save_strategy == SaveStrategy.STEPS
        message = f"Training in progress, {f'step {step}' if by_steps else f'epoch {int(self.state.epoch)}'}"
        try:
            staged = self._staged_for_push(Path(checkpoint_folder))
        except PUSH_ERRORS as error:
            self._note_failure(step, error)
        else:
            self._pushes.append(self._pusher.submit(self._push_staged, staged, step, message))

    def _staged_for_push(self, checkpoint: Path) -> Path:
        """The bundle in a checkpoint, with the record so far; it stays when the checkpoint goes."""
        files = [name for name in bundle_files(checkpoint) if name != RECIPE_NAME]
        staged = Path(self.args.output_dir, PUSHING_NAME, checkpoint.name)
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        for name in files:
            link_or_copy(checkpoint / name, staged / name)
        if self.shared_recipe is not None:
            write_whole(staged / RECIPE_NAME, yaml.safe_dump(self.shared_recipe, sort_keys=False))
        write_json(staged / RUN_NAME, run_record(self))
        return staged

    def _push_staged(self, staged: Path, step: int, message: str):
        try:
            self._push_folder(staged, message)
        except PUSH_ERRORS as error:
            self._note_failure(step, error)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _note_failure(self, step: int, error: Exception):
        logger.warning("checkpoint-%d could not be pushed, and training goes on: %s", step, error)
        cause = error if isinstance(error, HfHubHTTPError) else error.__cause__ or error
        status = getattr(getattr(cause, "response", None), "status_code", "")
        self.failed_pushes.append({"step": step, "reason": f"{type(cause).__name__} {status}".strip()})
