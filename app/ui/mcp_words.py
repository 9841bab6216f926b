"""What MCP tools say about files: Gradio promises to fetch addresses, which this page refuses."""

from __future__ import annotations

from typing import Any

FILE_FORMAT = (
    "the file itself as a data URL in base64, or the address of a file that was uploaded to this "
    "server; other addresses are refused"
)


def describe_files(server: Any) -> None:
    """Make the MCP server of Gradio describe the files that this page takes."""
    simplify = server.simplify_filedata_schema

    def simplified(schema: dict[str, Any]) -> tuple[dict[str, Any], list[list[str | int]]]:
        simple, positions = simplify(schema)
        for position in positions:
            node = simple
            for key in position:
                node = node[key]
            node["format"] = FILE_FORMAT
        return simple, positions

    server.simplify_filedata_schema = simplified
