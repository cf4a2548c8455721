"""What other libraries call their initializers, and what says the same here."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, cast

from ..errors import RuleError, UnknownNameError
from ..spelling import option_elsewhere
from .registry import AMBIGUOUS, canonical_name, defaults_of, factory_of

_ON_THE_SPHERE = ("unit_norm", "unit_sphere", "sphere", "spherical", "unit_rows", "normalized")
_LEFT = ("skip", "ignore", "leave", "freeze", "frozen", "null", "nil", "unchanged", "noop", "pass")

# By what `plain_name` leaves of a name. Names that are synonyms here never get this far; of those
# among them, only Keras's spelling does (GlorotNormal), and that library truncates.
_MEANT = {
    # everyday words, and those of distributions
    **dict.fromkeys(("gaussian", "gauss", "randn"), "Write normal."),
    "rand": "Write uniform(0, 1).",
    "random": "Write normal(std=...) or uniform(-0.1, 0.1).",
    **dict.fromkeys((*_LEFT, "none"), "Write keep."),
    **dict.fromkeys(("default", "reset_parameters", "reset"), "Write torch_default."),
    **dict.fromkeys(("const", "fill", "full", "full_like", "value"), "Write constant."),
    **dict.fromkeys(
        _ON_THE_SPHERE,
        "No scheme here draws rows from the sphere: those of orthogonal have norm 1, and are at "
        "right angles; those of normal(std=fan_in**-0.5) have about that norm.",
    ),
    **dict.fromkeys(
        ("block_diagonal", "block_diag"),
        "No scheme here writes blocks on the diagonal; register_scheme takes one of your own, and "
        "a function that writes into its tensor is a value as it is.",
    ),
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
    # Megatron, torchtitan
    "init_method_normal": "Write normal.",
    "init_weights": "A function of modules is a value within per_module, and what "
    "torch's own constructors do is torch_default.",
    # AllenNLP
    "lstm_hidden_bias": "Write gates(forget=1).",
    "block_orthogonal": "Write blocks('orthogonal', 'orthogonal'), one part for each block.",
    "pretrained": "Write pretrained(path); what was loaded before is kept, and "
    "only=load_result.missing_keys starts the rest.",
}

# What a name may stand for that says too little, as an answer above has it.
_EITHER = {
    **dict.fromkeys(
        _ON_THE_SPHERE,
        ("orthogonal", "normal(std=fan_in**-0.5)"),
    ),
    "kaiming": ("kaiming_normal", "kaiming_uniform"),
    "xavier": ("xavier_normal", "xavier_uniform"),
    "lecun": ("lecun_normal", "lecun_uniform"),
    "glorot": ("xavier_normal", "xavier_uniform"),
    "he": ("kaiming_normal", "kaiming_uniform", "variance_scaling(scale=2)"),
    "glorot_normal": ("variance_scaling(mode='fan_avg')", "xavier_normal"),
    "lecun_normal": ("variance_scaling()", "lecun_normal"),
}


# What an option says that a scheme has not, in those that it has, of which one is named first.
_BY_FORMULA = {
    **dict.fromkeys(("var", "variance"), ("std", "std=sqrt({0})")),
    **dict.fromkeys(("bound", "limit", "half_width"), ("low", "low=-{0}, high={0}")),
    "std": ("low", "low=-sqrt(3)*{0}, high=sqrt(3)*{0}"),
}


def option_by_formula(
    name: str, written: str, known: Container[str]
) -> Iterator[Mapping[str, str]]:
    """Yield the options, as they were written, with a formula in place of one that there is not.

    >>> list(option_by_formula("var", "(var=2)", ["std"]))
    [{'(var=2)': '(std=sqrt(2))'}]
    """
    needs, formula = _BY_FORMULA.get(name, ("", ""))
    value = r"((?:[^,()]|\([^()]*\))+)"
    if needs in known and (found := re.search(rf"\b{name}\s*=\s*{value}", written)) is not None:
        number = found[1] if re.fullmatch(r"[\w.]+", found[1]) else f"({found[1]})"
        yield {written: written.replace(found[0], formula.format(number))}


# The plainest scheme that has an option is meant by the option alone.
_PLAINEST = ("normal", "orthogonal", "trunc_normal", "uniform", "kaiming_normal", "constant")


def scheme_with(options: Mapping[str, object]) -> str | None:
    """Return the call of the plainest scheme that has all these options, numbers; None for none.

    >>> scheme_with({"std": 0.02}), scheme_with({"weight": 0})
    ('normal(std=0.02)', None)
    """
    if not options or not all(isinstance(value, int | float) for value in options.values()):
        return None
    name = next((name for name in _PLAINEST if has_options(name, options)), None)
    call = ", ".join(f"{option}={value}" for option, value in options.items())
    return None if name is None else f"{name}({call})"


def has_options(name: str, options: Iterable[object]) -> bool:
    """Tell whether a scheme has options of all these names, or of those that are meant by them.

    >>> has_options("normal", ["std"]), has_options("normal", ["stddev"]), has_options("ones", "*")
    (True, True, False)
    """
    found = canonical_name(name) if name not in AMBIGUOUS else None
    known = defaults_of(factory_of(found)) if found is not None else ()
    return all(isinstance(o, str) and (o in known or option_elsewhere(o, known)) for o in options)


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
        meanings = (m for words in ambiguous.either for m in dict(cast(Any, words)).values())
        ambiguous.either = tuple({name: one} for one in meanings)
        raise
    if meant:
        error = UnknownNameError(kind, name, (), meant)  # what is spelt alike would lead away
        if ours := re.match(r"(?:Write|Keras's is) (\w+)(?:\(([^()]*)\))?\.$", meant):
            error.mends = tuple(_in_place_of(name, ours[1], ours[2]))
        either = _EITHER.get(plain_name(name), ())
        error.either = tuple({f"{name}()": one, name: one} for one in either)
        return error
    return UnknownNameError(kind, name, choices, hint)


def _in_place_of(name: str, ours: str, options: str | None) -> Iterator[Mapping[str, str]]:
    """Yield what a name may be replaced by: with our options, and with those of its own it has."""
    yield {name: f"{ours}({options})" if options else ours}
    given = options.split(", ") if options else []
    for left_out in range(len(given) + 1 if given else 0):  # what its author says goes first
        yield {f"{name}(": f"{ours}({''.join(f'{one}, ' for one in given[left_out:])}"}
