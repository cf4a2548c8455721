"""Write the picture that the README shows: `python docs/pictures.py`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "examples"))

from tied_lm import TiedLM  # noqa: E402  (it lies in examples/)

from initkit import deferred, plan_init  # noqa: E402

LANGUAGE_MODEL = {
    "blocks.7.up.weight": "normal(std=0.2)",  # ten times too large, as the picture shows
    "blocks.*.{proj,down}.weight": "normal(std=0.02/sqrt(2*n_layers))",
    "*.bias": 0,
    "*norm*.weight": 1,
    "*": "normal(std=0.02)",
}


def odd_layer() -> str:
    """Draw the start of a language model of twelve blocks, after GPT-2, but for one layer."""
    with deferred():
        model = TiedLM(layers=12)
    return plan_init(model, LANGUAGE_MODEL).pictures()[0].document()


if __name__ == "__main__":
    (HERE / "images" / "odd-layer.svg").write_text(odd_layer())
