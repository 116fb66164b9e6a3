"""What a tracker's callback of `transformers` keeps."""

from transformers.integrations import TrackioCallback


def has_begun(callback: TrackioCallback) -> bool:
    """Whether the run of a callback has begun, and not ended since."""
    return callback._initialized


def note_begun(callback: TrackioCallback, space_id: str | None, *, begun: bool = True) -> None:
    """Tells a callback that its run has begun, and in which Space it is shown, if in any; or that it has ended."""
    callback._initialized, callback._space_id = begun, space_id
