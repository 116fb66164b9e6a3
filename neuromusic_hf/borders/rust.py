"""How libraries in Rust give up."""


def is_panic(error: BaseException) -> bool:
    """Whether an error is the panic of a library in Rust: no `Exception`, and of a class that nobody can import."""
    return type(error).__name__ == "PanicException"
