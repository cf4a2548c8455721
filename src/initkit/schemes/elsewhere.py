"""What other libraries call their initializers, and what says the same here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import RuleError, UnknownNameError
from .registry import canonical_name

# By what `plain_name` leaves of a name. Names that are synonyms here never get this far; of those
# among them, only Keras's spelling does (GlorotNormal), and that library truncates.
_MEANT = {
    # everyday words, and those of distributions
    **dict.fromkeys(("gaussian", "gauss", "randn"), "Write normal."),
    "rand": "Write uniform(0, 1).",
    "random": "Write normal(std=...) or uniform(-0.1, 0.1).",
    **dict.fromkeys(("skip", "ignore", "leave", "freeze", "none"), "Write keep."),
    "default": "Write torch_default.",
    # what plans print
    "n": "Write normal.",
    "u": "Write uniform.",
    "trunc": "Write trunc_normal.",
    **{
        name: f"There is no {name} distribution here; register_scheme takes one of your own."
        for name in ("beta", "chi_squared", "dirichlet", "gamma", "poisson")
    },
    # Keras, TensorFlow
    "random_normal": "Keras's is normal(std=0.05).",
    "random_uniform": "Keras's is uniform(-0.05, 0.05).",
    "truncated_normal": "Keras's is trunc_normal(std=0.05, cutoff=2).",
    "glorot_normal": "Keras's is variance_scaling(mode='fan_avg'); xavier_normal is not truncated.",
    "lecun_normal": "Keras's is variance_scaling(); lecun_normal is not truncated.",
    "uniform_unit_scaling": "Where it counts inputs it is lecun_uniform; AllenNLP's counts the "
    "rows of a matrix: variance_scaling(mode='fan_out', distribution='uniform').",
    # MMEngine, fvcore, timm
    "kaiming": "Write kaiming_normal or kaiming_uniform; MMEngine's is "
    "kaiming_normal(mode='fan_out', nonlinearity='relu').",
    "xavier": "Write xavier_normal, which MMEngine's is, or xavier_uniform.",
    "lecun": "Write lecun_normal or lecun_uniform.",
    "glorot": "Write xavier_normal or xavier_uniform.",
    "xavier_gaussian": "Write xavier_normal.",
    "he": "Write kaiming_normal or kaiming_uniform; Keras and JAX truncate: "
    "variance_scaling(scale=2).",
    "caffe2_xavier": "Write kaiming_uniform(a=1).",
    "c2_xavier": "Write kaiming_uniform(a=1).",
    "c2_msra": "Write kaiming_normal(mode='fan_out', nonlinearity='relu').",
    "bias_init_with_prob": "Write prior_bias(p=...).",
    "trunc_normal_tf": "Write trunc_normal(std=..., cutoff=2).",
    # AllenNLP
    "lstm_hidden_bias": "Write gates(forget=1).",
    "block_orthogonal": "Write blocks('orthogonal', 'orthogonal'), one part for each block.",
    "pretrained": "Write pretrained(path); what was loaded before is kept, and "
    "only=load_result.missing_keys starts the rest.",
}

# What a name may stand for that says too little, as an answer above has it.
_EITHER = {
    "kaiming": ("kaiming_normal", "kaiming_uniform"),
    "xavier": ("xavier_normal", "xavier_uniform"),
    "lecun": ("lecun_normal", "lecun_uniform"),
    "glorot": ("xavier_normal", "xavier_uniform"),
    "he": ("kaiming_normal", "kaiming_uniform", "variance_scaling(scale=2)"),
    "glorot_normal": ("variance_scaling(mode='fan_avg')", "xavier_normal"),
    "lecun_normal": ("variance_scaling()", "lecun_normal"),
}


def plain_name(name: str) -> str:
    """Return a name in lower case with underscores, without what libraries put around it.

    >>> [plain_name(name) for name in ("GlorotUniform", "c2_xavier_fill", "nn.init.orthogonal_")]
    ['glorot_uniform', 'c2_xavier', 'orthogonal']
    """
    name = re.sub(r"^(\w+\.)*init(ializers)?\.", "", name)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return re.sub(r"_(init|initializer|fill)$", "", snake)


def meant_by(name: str) -> str:
    """Return what another library's name is here, as a sentence; "" for a name that none has.

    Raises :class:`~initkit.errors.RuleError` for one with two meanings.

    >>> meant_by("Orthogonal")
    'Write orthogonal.'
    """
    plain = plain_name(name)
    if plain in _MEANT:
        return _MEANT[plain]
    return f"Write {plain}." if plain != name and canonical_name(plain) is not None else ""


def unknown_scheme(kind: str, name: str, choices: Iterable[str], hint: str) -> UnknownNameError:
    """Return the error of a name that nothing has; another library's is answered with ours."""
    try:
        meant = meant_by(name)
    except RuleError as ambiguous:  # by its plain name, which need not be the word that is written
        meanings = (one for words in ambiguous.either for one in words.values())
        ambiguous.either = tuple({name: one} for one in meanings)
        raise
    if meant:
        error = UnknownNameError(kind, name, (), meant)  # what is spelt alike would lead away
        if ours := re.match(r"(?:Write|Keras's is) (\w+(?:\([^()]*\))?)\.$", meant):
            error.mends = ({name: ours[1]},)
        error.either = tuple({name: one} for one in _EITHER.get(plain_name(name), ()))
        return error
    return UnknownNameError(kind, name, choices, hint)
