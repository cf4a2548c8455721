"""LSTM, GRU and plain recurrent networks."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe

_FUSED = "xavier_uniform(fans='tensor')"
_CELLS = "type:LSTM|LSTMCell"
_OTHERS = "type:GRU|GRUCell|RNN|RNNCell"


def _recurrent(into: str, over: str, first: Any, second: Any) -> dict[str, Any]:
    """Return the rules of recurrent modules: input and recurrent weights, and the two biases."""
    weights = {"weight_ih*": into, "weight_hh*": over, "weight_hr*": over}
    return {
        _CELLS: {**weights, "bias_ih*": first, "bias_hh*": second},
        _OTHERS: {**weights, "bias*": 0},
    }


RECIPES = (
    Recipe(
        "lstm/keras",
        rules=[
            _recurrent(_FUSED, "orthogonal(fans='tensor')", "blocks(0, 1, 0, 0)", 0),
            {
                "type:Linear|Conv1d|Conv2d": {"weight": "xavier_uniform", "bias": 0},
                "type:Embedding": {"weight": "uniform(-0.05, 0.05)"},
            },
            REST,
        ],
        marks=("type:LSTM|LSTMCell|GRU|GRUCell|RNN|RNNCell",),
        summary="Kernel Glorot uniform and recurrent kernel orthogonal, both over the fused gates; "
        "biases 0, the forget gate's 1.",
        source="keras-team/keras: keras/src/layers/rnn/lstm.py, gru.py, core/dense.py, "
        "embedding.py",
        paper="Jozefowicz et al. 2015 (forget bias 1); Saxe et al. 2013 (orthogonal)",
        fits=("torch.nn",),
        notes="torch adds two biases, so that only bias_ih has the 1. Keras orthogonalises the "
        "(H, 4 H) matrix, not each gate. Dense and Embedding layers start by Keras' defaults, too",
        padding=False,
    ),
    Recipe(
        "lstm/allennlp",
        rules=[_recurrent(_FUSED, "orthogonal", 0, "blocks(0, 1, 0, 0)"), REST],
        marks=("type:LSTM|LSTMCell|GRU|GRUCell|RNN|RNNCell",),
        summary="Input weights Glorot uniform, recurrent weights orthogonal per gate; biases 0, "
        "the forget gate's 1.",
        source="allenai/allennlp: allennlp/nn/initializers.py (block_orthogonal, lstm_hidden_bias)",
        paper="Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network Architectures",
        fits=("torch.nn",),
        notes="the 1 is in bias_hh. Everything else is torch's default",
    ),
    Recipe(
        "lstm/flax",
        rules=[
            _recurrent("variance_scaling(scale=1, mode='fan_in')", "orthogonal", 0, 0),
            {
                "type:Linear|Conv1d|Conv2d": {
                    "weight": "variance_scaling(scale=1, mode='fan_in')",
                    "bias": 0,
                },
                "type:Embedding": {"weight": "normal(std=shape[1]**-0.5)"},
            },
            REST,
        ],
        marks=("type:LSTM|LSTMCell|GRU|GRUCell|RNN|RNNCell",),
        summary="Input kernels LeCun normal (truncated), recurrent kernels orthogonal, per gate; "
        "all biases 0.",
        source="google/flax: flax/linen/recurrent.py (LSTMCell, OptimizedLSTMCell), linear.py",
        fits=("torch.nn",),
        notes="the forget gate's bias is 0, not 1. Dense and Embed layers start by Flax' defaults",
        padding=False,
    ),
    Recipe(
        "lstm/fairseq",
        rules=[
            {
                f"{_CELLS}|GRU|GRUCell|RNN|RNNCell": {"*": "uniform(-0.1, 0.1)"},
                "type:Linear": {"*": "uniform(-0.1, 0.1)"},
                "type:Embedding": {"weight": "uniform(-0.1, 0.1)"},
            },
            REST,
        ],
        marks=("type:LSTM|LSTMCell|GRU|GRUCell|RNN|RNNCell",),
        summary="Everything U(-0.1, 0.1), biases too; padding rows 0.",
        source="facebookresearch/fairseq: fairseq/models/lstm.py",
        paper="Sutskever et al. 2014, Sequence to Sequence Learning with Neural Networks",
        fits=("torch.nn", "fairseq"),
    ),
    Recipe(
        "lstm/torch",
        rules=[REST],
        marks=("type:LSTM|LSTMCell|GRU|GRUCell|RNN|RNNCell",),
        summary="Everything U(-1/sqrt(H), 1/sqrt(H)), biases too.",
        source="pytorch/pytorch: torch/nn/modules/rnn.py (RNNBase.reset_parameters)",
        fits=("torch.nn",),
        notes="neither orthogonal nor with a forget bias: two biases of that size",
    ),
)
ALIASES = {"lstm": "lstm/keras"}
