"""Checkpoints on the Hugging Face hub: uploaded, and where a download is kept."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import LongT5PreTrainedModel
    from .model_card import ModelCard


@dataclass(frozen=True)
class HubOptions:
    """Options of a download, as in transformers: ``cache_dir``, ``token``, ``force_download``."""

    cache_dir: str | Path | None = None
    token: str | bool | None = None
    force_download: bool = False

    def given(self) -> dict[str, Any]:
        """Return the options that were set, for huggingface_hub."""
        return {name: value for name, value in vars(self).items() if value not in (None, False)}


def push_to_hub(
    model: LongT5PreTrainedModel,
    repo_id: str,
    *,
    commit_message: str,
    private: bool | None,
    token: str | bool | None,
    revision: str | None,
    create_pr: bool,
    max_shard_size: int | str,
    card: ModelCard | None,
) -> str:
    """Upload a model's files to a repository, which is made if there is none; return its commit."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    repository = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size=max_shard_size, card=card)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=commit_message,
            revision=revision,
            create_pr=create_pr,
        )
    return done.oid
