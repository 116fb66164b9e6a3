"""What one process decides for all processes of a launch."""

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from .waiting import Meeting

Result = TypeVar("Result")


def by_main_process(work: Callable[..., Result], /, **arguments) -> Result:
    """
    Has the main process do something, and hands what comes of it to all processes: its result, or its error.

    They wait for it as long as it takes, whatever `ddp_timeout` says.

    Args:
        work (`Callable`): called on the main process only.
        arguments: of `work`.

    Returns:
        What `work` returned; it is pickled for the other processes of this launch.

    Raises:
        `ValueError`, `OSError` or `RuntimeError`: as `work` did; of another error the other processes get the text.
    """
    state = PartialState()
    if state.num_processes == 1:
        return work(**arguments)
    outcome, error, meeting = None, None, Meeting()
    if state.is_main_process:
        try:
            outcome = work(**arguments)
        except (ValueError, OSError, RuntimeError) as failure:
            error = failure
        except BaseException as failure:
            meeting.tell_failure(failure)
            raise
        meeting.leave("done")
    else:
        meeting.await_word("done")
    answer = [(outcome, type(error), str(error)) if error else (outcome, None, "")]
    outcome, kind, text = broadcast_object_list(answer)[0]
    if error is not None:
        raise error
    if kind is not None:
        raise kind(text)
    return outcome
