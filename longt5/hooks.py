"""Hooks of modules: which run, and an error for those that a fused computation would pass over."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_hooked(*modules: nn.Module) -> bool:
    """Return whether any of these modules has a hook of its own."""
    return any(getattr(module, hooks) for module in modules for hooks in HOOKS)


def any_hooked(model: nn.Module) -> bool:
    """Return whether any module of a model has a hook."""
    return is_hooked(*model.modules())


def refuse_unreachable(root: nn.Module, uncalled: tuple[type, ...], where: Iterable[str]) -> None:
    """Raise TypeError naming a hooked module that is not called: of a type in ``uncalled``, or a
    table of relative positions.

    ``where``: names of the parts of ``root`` to look at, "" for ``root`` alone.
    """
    for part in where:
        inside: Iterable[tuple[str, nn.Module]] = [("", root)]
        if part:
            inside = root.get_submodule(part).named_modules(prefix=part)
        for name, module in inside:
            passed_over = isinstance(module, uncalled) or name.endswith("attention_bias")
            if passed_over and is_hooked(module):
                raise TypeError(
                    f"A hook on {name or 'the model'} ({type(module).__name__}) would not run: "
                    "this computation does not call it. Register it on the matrices, norms and "
                    "embeddings of ids, which are called in searches too."
                )
