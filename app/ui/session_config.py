"""The configuration of the page's parts, made once instead of for each session.

Gradio describes every part of the page anew for each page that is opened and each call of a
program: 17 ms in which the server answers nobody, and a quarter of a megabyte.
"""

from __future__ import annotations

from typing import Any

from gradio.blocks import BlocksConfig


class SharedConfig(BlocksConfig):
    """The parts of a page. Sessions copy it; what describes the same part is shared."""

    def __init__(self, root_block: Any) -> None:
        super().__init__(root_block)
        # By the number of a part: the part, and its configuration.
        self._known: dict[int, tuple[Any, dict[str, Any]]] = {}

    def __copy__(self) -> SharedConfig:
        copied = SharedConfig(self.root_block)
        vars(copied).update(vars(super().__copy__()), _known=self._known)
        return copied

    def config_for_block(  # type: ignore[override]
        self, _id: int, rendered_ids: list[int], block: Any, renderable: Any = None
    ) -> dict[str, Any]:
        """Return the configuration of a part, which a session may give another value."""
        plain = super().config_for_block
        if rendered_ids or renderable:  # of the page, while it is built
            return plain(_id, rendered_ids, block, renderable)
        known, config = self._known.get(_id, (None, {}))
        if known is not block:
            config = plain(_id, [], block)
            if self.root_block.blocks.get(_id) is not block:
                return config  # a session's own
            self._known[_id] = block, config
        return {**config, "props": dict(config["props"])} if "props" in config else dict(config)
