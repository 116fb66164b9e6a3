"""What a tracker's callback of `transformers` keeps."""

from transformers.integrations import TrackioCallback


def note_begun(callback: TrackioCallback, space_id: str | None) -> None:
    """Tells a callback that its run has begun, and in which Space it is shown, if in any."""
    callback._initialized, callback._space_id = True, space_id
