"""Whose code a class is: told by Python modules, so that a cousin's name counts for nothing."""

from __future__ import annotations

import pytest

from initkit import Recipe, describe_recipe
from initkit.rules import follows


@pytest.mark.parametrize(
    ("recipe", "module", "answer"),
    [
        ("gemma2/transformers", "transformers.models.gemma2.modeling_gemma2", True),
        ("gemma/transformers", "transformers.models.gemma2.modeling_gemma2", False),
        ("gemma/transformers", "transformers.models.gemma4.modeling_gemma4", False),
        ("resnet/transformers", "transformers.models.resnet.modeling_resnet", True),
        ("resnet/timm", "timm.models.resnet", True),
        ("resnet/timm", "timm.models.resnetv2", False),
        ("resnet/torchvision", "diffusers.models.resnet", False),
    ],
)
def test_modules_tell_whose_code_it_is(recipe: str, module: str, answer: bool) -> None:
    assert follows(describe_recipe(recipe), module) is answer


def test_a_package_alone_and_a_file_that_any_project_has_tell_nothing() -> None:
    recipe = Recipe("doc/net", rules={"*": 0}, source="someone/net: model.py, net.py")
    assert recipe.modules == {"net"}
    assert not follows(recipe, "model")
    assert follows(recipe, "net")
