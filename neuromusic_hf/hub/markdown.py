"""Markdown that shows what it is given, whatever that holds."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

HUB = "https://huggingface.co"


def escape(text: str) -> str:
    """
    Text of strangers, such as the name of a piece, as Markdown and HTML show it: on one line, and as it stands.

    Args:
        text (`str`): any.
    """
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    text = re.sub(r"[\\`*_{}\[\]#|~$!:@^]", r"\\\g<0>", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code_block(text: str, language: str = "") -> str:
    """A block of code, whatever the text holds. Comments at the start of its lines move: they would end a section."""
    text = re.sub("^<!--", " <!--", text, flags=re.MULTILINE)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def address(url: str | None) -> str:
    """A web address of strangers, as it can stand in a link; empty where it is none."""
    return quote(url, safe=":/?&=%#~+,;@") if url and url.startswith(("https://", "http://")) else ""


def link_to(repo_id: str, repo_type: str = "model") -> str:
    """A link to a repository of the Hub, which shows its id."""
    kind = "" if repo_type == "model" else f"{repo_type}s/"
    return f"[{escape(repo_id)}]({HUB}/{kind}{quote(repo_id)})"
