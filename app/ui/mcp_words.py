"""What MCP tools say about files: Gradio promises to fetch addresses, which this page refuses."""

from __future__ import annotations

from typing import Any

FILE_FORMAT = (
    "the file itself as a data URL in base64, or the address of a file that was uploaded to this "
    "server; other addresses are refused"
)
OWN_WORDS = {"Gradio File Input - a http or https url to a file": FILE_FORMAT}


def describe_files(server: Any) -> None:
    """Make the MCP server of Gradio describe the files that this page takes."""
    simplify = server.simplify_filedata_schema

    def simplified(schema: dict[str, Any]) -> tuple[Any, list[list[str | int]]]:
        simple, positions = simplify(schema)
        return _with_own_words(simple), positions

    server.simplify_filedata_schema = simplified


def _with_own_words(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _with_own_words(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_own_words(item) for item in node]
    return OWN_WORDS.get(node, node) if isinstance(node, str) else node
