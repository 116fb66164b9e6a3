"""Why a file is not read."""


class RefusedFile(Exception):
    """A file that does not become a row.

    Args:
        reason (`str`): short stable snake_case name.
        detail (`str`): the value found, and the limit it breaks or the message of the reader.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)  # what pickle makes it again from, in another process
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
