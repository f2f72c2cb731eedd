from __future__ import annotations

import magiqa
from magiqa import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {word for word in (errors.__doc__ or "").split() if hasattr(errors, word)}
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.MagiqaError)
    }
    assert drawn == defined
    assert defined <= set(magiqa.__all__)


def test_nearest_ignores_case_and_else_lists_all() -> None:
    assert errors.nearest("vit-b/23", ["ViT-B/32", "RN50"]) == "did you mean ViT-B/32?"
    assert errors.nearest("zzz", ["a", "b"]) == "choose from a, b"
