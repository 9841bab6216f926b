"""Write a summary as the JSON object that `summarize --format json` prints."""

from __future__ import annotations

import json

from ..events import Summary


def to_json(summary: Summary) -> str:
    """Return the JSON object of a summary, indented for reading."""
    return json.dumps(summary.to_dict(), ensure_ascii=False, indent=2)


def to_json_line(summary: Summary) -> str:
    """Return the JSON object of a summary on one line, for JSON lines."""
    return json.dumps(summary.to_dict(), ensure_ascii=False) + "\n"
