"""Pages that need no other file, of their templates."""

import base64
import io
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ..tokenization.tally import say_changes


def render_page(template: str, **values: Any) -> str:
    """
    Fills a template of this folder. Texts are shown as they are, whatever they hold.

    Args:
        template (`str`): name of its file.
        values: by the names that it uses; pictures and sounds are `bytes`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=_figure, data_uri=_data_uri, pretty=_pretty, clock=_clock)
    environment.filters.update(percent="{:.2%}".format, changes=say_changes)
    return environment.get_template(template).render(**values)


def png(figure: Figure) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _figure(value: float | None, decimals: int = 3) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _pretty(value: dict) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
