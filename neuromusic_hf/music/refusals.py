"""Why a file is not read."""


class RefusedFile(RuntimeError):
    """
    A file that does not become music.

    Args:
        reason (`str`): short stable snake_case name.
        detail (`str`): the value found, and the limit it breaks or the message of the reader.
        name (`str`, *optional*): of the file, where the caller knows no other way to tell it.
    """

    def __init__(self, reason: str, detail: str, name: str | None = None):
        super().__init__(reason, detail, name)  # what pickle makes it again from, in another process
        self.reason = reason
        self.detail = detail
        self.name = name

    def __str__(self) -> str:
        words = f"{self.reason}: {self.detail}"
        return words if self.name is None else f"Cannot read the MIDI file {self.name}: {words}"
