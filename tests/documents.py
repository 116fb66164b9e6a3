"""README and docs as a test reads them: their commands, their Python, and what they say is printed."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    Code between fences.

    Args:
        language (`str`): first word behind the opening fence.
        quoted (`str`): the others: the file that the block quotes, from the root of the repository, or nothing.
        code (`str`): what is between.
        line (`int`): of the page, on which the code begins.
    """

    language: str
    quoted: str
    code: str
    line: int


@dataclass(frozen=True)
class Page:
    """A document. Of its blocks, `text` after `bash` or `python` is what that prints, `...` standing for anything."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(REPOSITORY).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        for match in FENCE.finditer(self.text):
            language, _, quoted = match[1].partition(" ")
            found.append(Block(language, quoted, match[2], self.text.count("\n", 0, match.start(2)) + 1))
        return found

    @property
    def prose(self) -> str:
        """The page without its blocks."""
        return FENCE.sub("", self.text)

    @property
    def commands(self) -> list[str]:
        """Lines of the bash blocks; one that ends in a backslash goes on in the next."""
        blocks = [block.code.replace("\\\n", " ") for block in self.blocks if block.language == "bash"]
        return [" ".join(line.split()) for block in blocks for line in block.strip().splitlines()]

    @property
    def script(self) -> str:
        """The Python of the page as one script, of which each line has the number it has in the page."""
        lines = [""] * (self.text.count("\n") + 1)
        for block in self.blocks:
            if block.language == "python" and not block.quoted:
                code = block.code.splitlines()
                lines[block.line - 1 : block.line - 1 + len(code)] = code
        return "\n".join(lines)

    def printed(self, language: str) -> list[tuple[Block, str]]:
        """Blocks of a language that are followed by what they print."""
        pairs = zip(self.blocks, self.blocks[1:], strict=False)
        return [
            (block, after.code) for block, after in pairs if (block.language, after.language) == (language, "text")
        ]


README = Page(REPOSITORY / "README.md")
CONTRIBUTING = Page(REPOSITORY / "CONTRIBUTING.md")
PAGES = [README, *(Page(path) for path in sorted((REPOSITORY / "docs").rglob("*.md")))]
