"""The stream gives every element the value that its contract defines, whoever writes it."""

from __future__ import annotations

import random
import struct
from array import array
from hashlib import blake2b, sha256
from typing import Self

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from initkit import stream
from initkit.errors import InitkitError, OptionError, ReadError, TargetError, TensorProblem
from initkit.stream import eager, make_table, memory, native, table, write
from initkit.stream.bounds import tail_words, trunc_bounds
from initkit.stream.runs import RunTable
from initkit.stream.table import table_bytes

PATHS = stream.paths()
FLOATS = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
KEY = stream.key(0, "fc.weight")
KNOWN_RUNS = [(0, 4), (255, 2), (511, 2)]

every_path = pytest.mark.parametrize("path", PATHS)
every_dtype = pytest.mark.parametrize("dtype", FLOATS, ids=str)


# ---- an independent reading of the contract, in whole numbers and struct ---------------------


def f32(x: float) -> float:
    return struct.unpack("<f", struct.pack("<f", x))[0]


def bits(x: float) -> int:
    return struct.unpack("<I", struct.pack("<f", x))[0]


def from_bits(u: int) -> float:
    return struct.unpack("<f", struct.pack("<I", u))[0]


TABLE = struct.unpack("<16384f", table_bytes())


def reference_word(key: tuple[int, int], i: int) -> int:
    c, lane = ((i >> 9) << 8) | (i & 255), (i >> 8) & 1
    ks = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    x = [(c + ks[0]) % 2**32, ((c >> 32) + ks[1]) % 2**32]
    for r in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[r % 8]
        x[0] = (x[0] + x[1]) % 2**32
        x[1] = (x[1] << turn | x[1] >> (32 - turn)) % 2**32 ^ x[0]
        if r % 4 == 3:
            d = r // 4 + 1
            x = [(x[0] + ks[d % 3]) % 2**32, (x[1] + ks[(d + 1) % 3] + d) % 2**32]
    return x[lane]


def signed(w: int) -> int:
    return w - 2**32 if w >= 2**31 else w


def reference_z(w: int) -> float:
    f = f32(signed(w | 1))
    index = (bits(f) >> 15) & 8191
    a = from_bits(bits(TABLE[index]) ^ (bits(f) & 0x80000000))
    return f32(a + f32(TABLE[8192 + index] * f))


def reference_normal(w: int, mean: float, std: float) -> float:
    x = f32(reference_z(w) * f32(std))
    return f32(x + f32(mean)) if f32(mean) != 0 else x


def reference_uniform(w: int, low: float, high: float) -> float:
    s, m = f32((high - low) * 2.0**-24), f32((low + high) / 2)
    x = f32((signed(w) >> 8 | 1) * s)
    return min(max(f32(x + m), f32(low)), f32(high)) if m != 0 else x


def reference_trunc(w: int, mean: float, std: float, low: float, high: float) -> float:
    import mpmath

    with mpmath.workdps(50):
        alpha, beta = (mpmath.mpf((edge - mean) / std) for edge in (low, high))
        p, h = (int(mpmath.nint(2**31 * mpmath.erfc(x / mpmath.sqrt(2)))) for x in (beta, alpha))
    span = min((h - p) // 2 * 2, 2**32 - 2)
    x = reference_normal((p + (w * span >> 32)) % 2**32, mean, std)
    return min(max(x, f32(low)), f32(high))


def hexes(t: Tensor) -> list[str]:
    return [f"{x & 0xFFFFFFFF:08x}" for x in t.view(torch.int32).tolist()]


def random_indices(seed: int, n: int) -> list[int]:
    rng = random.Random(seed)
    near = [rng.randrange(2**40) for _ in range(n)]
    return [*near, *(2**62 - rng.randrange(2**34) for _ in range(n)), 2**33 - 1, 2**33, 2**63 - 1]


# ---- known answers ---------------------------------------------------------------------------


def test_the_key_is_the_contracts():
    assert KEY == (0x8EFECF31, 0x62474E74)
    assert stream.key(2**64, "fc.weight") == KEY
    assert stream.key(-1, "x") == stream.key(2**64 - 1, "x")
    assert stream.key(0, "fc.weight", 1) != KEY
    text = "größe.weight"
    data = struct.pack("<QII", 7, 3, len(text.encode())) + text.encode()
    digest = blake2b(data, digest_size=16, person=b"initkit-v1").digest()
    assert stream.key(7, text, 3) == struct.unpack("<II", digest[:8])


@every_path
def test_words_are_the_known_ones(path):
    known = "a6cc11e4 aabed4e8 ea3f7f44 6c9f6b70 4508b478 9d0194ca 642e6f4c a0c9ae3b"
    assert stream.words(KEY, KNOWN_RUNS, 8, path=path).tolist() == [
        int(w, 16) for w in known.split()
    ]
    assert stream.words(KEY, 2**33 + 5, 1, path=path).tolist() == [0xDA300598]
    masks = "a33d8a42 369e1512 47e38d9b 96c12d74 516c541a 9650e7d0 ce58dcc5 0f229293"
    assert stream.words(stream.key(0, "fc.weight", 1), KNOWN_RUNS, 8, path=path).tolist() == [
        int(w, 16) for w in masks.split()
    ]


def test_threefry_gives_random123s_known_answer():
    assert stream.words(stream.Key(0, 0), [(0, 1), (256, 1)], 2).tolist() == [
        0x6B200159,
        0x99BA4EFE,
    ]


KNOWN_VALUES = {
    "uniform -.05 .05": "bd0eb97f bd086845 bc0b366d 3d2dcbdf 3cdce8aa bd1e63df 3d204a4b bd1856e8",
    "uniform 0 1": "3e1b3044 3e2afb54 3ed47efe 3f6c9f6b 3f4508b5 3de80ca8 3f642e6f 3e0326bc",
    "normal 0 .02": "bbff454f bc0d6b02 bce0dad9 3b7a32a3 3c4923bb bbbcb50f 3bb4c724 bbd6262b",
    "normal 1 .5": "3f4e2476 3f48c233 3ea0aa0c 3f8c3779 3fa748fa 3f5b24a3 3f91a772 3f562c8c",
    "trunc_normal 0 .02 -.04 .04": (
        "bbf317fb bc069956 bcce6c0f 3b6eaf14 3c3ed84e bbb3e58a 3bac5af0 bbcc136b"
    ),
}


@every_path
@pytest.mark.parametrize("distribution", KNOWN_VALUES)
def test_values_are_the_known_ones(distribution, path):
    name, *numbers = distribution.split()
    fill = getattr(stream, f"{name}_")
    out = fill(torch.empty(8), KEY, *map(float, numbers), KNOWN_RUNS, path=path)
    assert hexes(out) == KNOWN_VALUES[distribution].split()


@every_path
def test_bfloat16_values_are_the_known_ones(path):
    out = torch.empty(8, dtype=torch.bfloat16)
    stream.normal_(out, KEY, 0.0, 0.02, KNOWN_RUNS, path=path)
    known = "bbff bc0d bce1 3b7a 3c49 bbbd 3bb5 bbd6"
    assert [f"{x & 0xFFFF:04x}" for x in out.view(torch.int16).tolist()] == known.split()


def test_the_extreme_words_give_the_known_normals():
    words = torch.tensor([0, -1, 2**31 - 1, -(2**31)], dtype=torch.int32)
    known = ["40c75e4a", "c0c75e4a", "32a06c99", "b2a06c99"]
    assert hexes(eager.standard_normal(words)) == known
    assert [f"{bits(reference_z(w)):08x}" for w in (0, 2**32 - 1, 2**31 - 1, 2**31)] == known


def test_trunc_bounds_are_the_known_ones():
    assert trunc_bounds(0.0, 0.02, -0.04, 0.04) == (97711073, 4099545150)


@every_path
def test_a_path_that_is_used_passes_its_self_check(path):
    def fill(out: Tensor, spec: tuple[float, ...], start: int) -> None:
        if path == "eager":
            eager.fill(out, spec, native.CHECK_KEY, RunTable.read(start, out.numel()))
        else:
            at = (out.data_ptr(), out.numel(), out.data_ptr(), out.untyped_storage().nbytes())
            code, number = native.CODES[out.dtype], native.number(path)
            native.load().kernel.fill(number, code, *at, start, None, native.CHECK_KEY, spec)

    assert native.digest(fill) == native.KNOWN


# ---- against the independent reading ---------------------------------------------------------


@every_path
def test_random_elements_equal_an_independent_reading_of_the_contract(path):
    index = random_indices(1, 150)
    runs = [(i, 1) for i in index]
    words = [reference_word(KEY, i) for i in index]
    n = len(index)
    assert stream.words(KEY, runs, n, path=path).tolist() == words
    for low, high in ((-0.05, 0.05), (0.0, 1.0), (-1e-3, 7.0), (5.0, 5.0)):
        out = stream.uniform_(torch.empty(n), KEY, low, high, runs, path=path)
        assert out.tolist() == [reference_uniform(w, low, high) for w in words]
    for mean, std in ((0.0, 1.0), (-3.0, 0.1), (0.0, 0.0), (1e-30, 1e-30)):
        out = stream.normal_(torch.empty(n), KEY, mean, std, runs, path=path)
        assert out.tolist() == [reference_normal(w, mean, std) for w in words]
    for distribution in ((0.0, 1.0, -2.0, 2.0), (0.5, 0.1, 0.6, 9.0), (0.0, 0.02, -2.0, 2.0)):
        out = stream.trunc_normal_(torch.empty(n), KEY, *distribution, runs, path=path)
        assert out.tolist() == [reference_trunc(w, *distribution) for w in words]
    for p in (0.0, 0.3, 1.0):
        out = stream.bernoulli(KEY, p, runs, n, path=path)
        assert out.tolist() == [w < round(p * 2**32) for w in words]
    for m in (1, 2, 3, 1000003, 2**31 + 1, 2**32 - 1, 2**32):
        out = stream.choice(KEY, m, runs, n, path=path)
        assert out.tolist() == [w * m >> 32 for w in words]


@every_path
def test_long_runs_equal_an_independent_reading_where_the_counter_carries(path):
    start = 2**33 - 300
    words = [reference_word(KEY, i) for i in range(start, start + 900)]
    assert stream.words(KEY, start, 900, path=path).tolist() == words


@every_path
def test_a_threshold_zeroes_what_is_smaller_before_rounding(path):
    plain = stream.uniform_(torch.empty(3000), KEY, -10.0, 10.0)
    want = torch.where(plain.abs() < 5.0, 0.0, plain)
    for dtype in FLOATS:
        out = torch.empty(3000, dtype=dtype)
        stream.uniform_(out, KEY, -10.0, 10.0, threshold=5.0, path=path)
        assert torch.equal(out, want.to(dtype))


@every_dtype
@every_path
def test_values_are_computed_in_float32_and_rounded_once(path, dtype):
    for distribution in ((0.0, 1.0), (1.0, 0.5), (0.0, 3e-6), (0.0, 1e4)):
        single = stream.normal_(torch.empty(5000), KEY, *distribution, 77)
        out = stream.normal_(torch.empty(5000, dtype=dtype), KEY, *distribution, 77, path=path)
        assert torch.equal(out, single.to(dtype))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**63 - 3000),
    st.integers(0, 2600),
    st.sampled_from(FLOATS),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
def test_all_paths_agree_wherever_a_run_begins_and_ends(start, n, dtype, k0, k1):
    key = stream.Key(k0, k1)
    for fill, numbers in (
        (stream.uniform_, (-1.0, 2.0)),
        (stream.normal_, (0.25, 1.5)),
        (stream.trunc_normal_, (0.0, 1.0, -1.0, 2.5)),
    ):
        first, *others = (
            fill(torch.empty(n, dtype=dtype), key, *numbers, start, path=p) for p in PATHS
        )
        assert all(torch.equal(first, other) for other in others)


WITHOUT_VECTORS = ("DEFAULT", "NO AVX")  # what torch calls it, and what its oldest releases do


def test_eager_bits_do_not_rest_on_torchs_vector_instructions(tmp_path):
    import os
    import subprocess
    import sys

    code = (
        "from initkit.stream import eager, native; from initkit.stream.runs import RunTable as R;"
        "import torch; torch.set_num_threads(2);"
        "f = lambda out, spec, start: eager.fill("
        "out, spec, native.CHECK_KEY, R.read(start, out.numel()));"
        "print(torch.backends.cpu.get_cpu_capability(), native.digest(f))"
    )
    env = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    capability, digest = run.stdout.rsplit(maxsplit=1)
    assert capability in WITHOUT_VECTORS
    assert digest == native.KNOWN


# ---- the table -------------------------------------------------------------------------------


def test_the_shipped_table_has_the_contracts_checksum():
    assert sha256(table_bytes()).hexdigest() == table.SHA256
    assert table.SHA256 == "68234bb2c2eb287b22bc4c3f341d00443c20b8ca1229cfe05ab4587151009019"


def test_the_script_makes_the_entries_of_the_shipped_table():
    from mpmath import mp

    with mp.workprec(make_table.BITS):
        for e, s in [(0, 0), (0, 255), (7, 100), (29, 3), (30, 0), (30, 254), (30, 255)]:
            knots = [make_table.quantile(mp, e, 2 * s + t) for t in range(3)]
            a, b = map(float, make_table.piece(mp, e, s, *knots))
            index = ((e + 127) * 256 + s) % 8192
            assert (a, b) == (TABLE[index], TABLE[8192 + index])


def test_the_normal_is_antisymmetric_and_within_its_error():
    import mpmath

    rng = random.Random(3)
    for w in [rng.randrange(2**31) for _ in range(300)] + [2**k for k in range(31)]:
        z = reference_z(w)
        assert reference_z(w ^ 0xFFFFFFFF) == -z
        tail = mpmath.mpf(w | 1) / 2**32
        assert abs(mpmath.erfc(z / mpmath.sqrt(2)) / 2 - tail) < 7e-7 * mpmath.npdf(z) + 1e-40


# ---- runs ------------------------------------------------------------------------------------

WORDS = stream.words(KEY, 0, 6000)
RUN = st.integers(0, 5000).flatmap(
    lambda start: st.tuples(st.just(start), st.integers(0, 6000 - start))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(RUN, min_size=1, max_size=12), st.sampled_from(PATHS))
def test_any_runs_are_the_same_elements_of_the_whole(runs, path):
    want = torch.cat([WORDS[start : start + n] for start, n in runs])
    assert torch.equal(stream.words(KEY, runs, len(want), path=path), want)
    assert torch.equal(stream.words(KEY, torch.tensor(runs), len(want), path=path), want)


@settings(max_examples=40, deadline=None)
@given(st.lists(RUN, min_size=1, max_size=8), st.data())
def test_cut_runs_are_the_same_elements(runs, data):
    total = sum(n for _, n in runs)
    offset = data.draw(st.integers(0, total))
    count = data.draw(st.integers(0, total - offset))
    want = torch.cat([WORDS[start : start + n] for start, n in runs])[offset : offset + count]
    for form in (runs, torch.tensor(runs)):
        cut = stream.cut_runs(form, offset, count)
        assert torch.equal(stream.words(KEY, cut, count), want)
    assert stream.cut_runs(10, 5, 3) == 15


@every_path
def test_many_short_runs_are_a_shard_of_columns(path):
    whole = stream.normal_(torch.empty(300, 70), KEY, 0.0, 1.0)
    shard = torch.empty(300, 11)
    runs = torch.stack((torch.arange(300) * 70 + 13, torch.full((300,), 11)), 1)
    stream.normal_(shard, KEY, 0.0, 1.0, runs, path=path)
    assert torch.equal(shard, whole[:, 13:24])


def test_runs_that_do_not_add_up_are_an_error():
    message = r"^the runs hold 7 elements, but there are 8 to write$"
    with pytest.raises(ReadError, match=message):
        stream.normal_(torch.empty(8), KEY, 0.0, 1.0, [(0, 3), (9, 4)])


@pytest.mark.parametrize(
    ("runs", "count", "message"),
    [
        (-1, 4, r"a run of 4 elements from index -1 leaves the range 0 <= i < 2\^63$"),
        (2**63 - 3, 4, f"a run of 4 elements from index {2**63 - 3} leaves the range"),
        ([(5, -4)], 4, "a run of -4 elements from index 5 leaves the range"),
        (torch.zeros(4, dtype=torch.int64), 4, "a tensor of runs has dtype int64 and shape"),
        (torch.zeros(1, 2), 4, r"got torch.float32 and \(1, 2\)"),
    ],
)
def test_runs_that_are_none_are_errors(runs, count, message):
    with pytest.raises(ReadError, match=message):
        stream.normal_(torch.empty(count), KEY, 0.0, 1.0, runs)


# ---- memory ----------------------------------------------------------------------------------


def normal(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, **kw: object) -> Tensor:
    return stream.normal_(torch.empty(shape, dtype=dtype), KEY, 0.0, 1.0, 9, **kw)


@every_path
@every_dtype
def test_any_strides_hold_the_same_values_in_logical_order(dtype, path):
    want = normal((4, 6, 8, 10), dtype)
    for out in (
        torch.empty(10, 8, 6, 4, dtype=dtype).permute(3, 2, 1, 0),
        torch.empty(4, 6, 8, 10, dtype=dtype).to(memory_format=torch.channels_last),
        torch.empty(8, 12, 16, 20, dtype=dtype)[1::2, ::2, 3:11, 5:15],
        torch.empty(4, 6, 8, 10, 3, dtype=dtype)[..., 1],
    ):
        assert not out.is_contiguous()
        assert torch.equal(stream.normal_(out, KEY, 0.0, 1.0, 9, path=path), want)


def test_large_strided_memory_is_written_in_pieces(monkeypatch):
    monkeypatch.setattr(write, "SCRATCH", 50)
    want = normal((5, 7, 40))
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        sizes = [(5, 7, 40)[d] for d in order]
        back = [order.index(d) for d in range(3)]
        out = torch.empty(sizes).permute(back)
        assert torch.equal(stream.normal_(out, KEY, 0.0, 1.0, 9), want)


def test_only_the_viewed_elements_are_written():
    whole = torch.full((10, 10), 7.0)
    stream.normal_(whole[2:5, 3:6], KEY, 0.0, 1.0)
    assert (whole == 7.0).sum() == 91
    flat = torch.full((100,), 7.0)
    stream.normal_(flat[10:33], KEY, 0.0, 1.0)
    assert (flat == 7.0).sum() == 77


@every_path
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.complex32], ids=str)
@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
def test_complex_elements_have_two_words_each(dtype, path):
    out = torch.empty(3, 5, dtype=dtype)
    real = torch.view_as_real(out)
    want = stream.normal_(torch.empty(30), KEY, 0.0, 1.0, 2 * 9).to(real.dtype)
    stream.normal_(out, KEY, 0.0, 1.0, 9, path=path)
    assert torch.equal(torch.view_as_real(out).reshape(-1), want)
    stream.normal_(out, KEY, 0.0, 1.0, [(9, 4), (13, 11)], path=path)
    assert torch.equal(torch.view_as_real(out).reshape(-1), want)


def test_conjugate_and_negative_views_read_back_what_was_written():
    want = stream.normal_(torch.empty(4, dtype=torch.complex64), KEY, 0.0, 1.0)
    conjugate = torch.empty(4, dtype=torch.complex64).conj()
    assert torch.equal(stream.normal_(conjugate, KEY, 0.0, 1.0), want)
    negative = torch.zeros(1, dtype=torch.complex64).conj().imag
    assert negative.is_neg()
    assert negative.is_contiguous()
    stream.normal_(negative, KEY, 0.0, 1.0)
    assert torch.equal(negative, stream.normal_(torch.empty(1), KEY, 0.0, 1.0))


def test_memory_that_is_not_aligned_is_written():
    raw = bytearray(4 * 100 + 1)
    out = torch.frombuffer(raw, dtype=torch.float32, offset=1, count=100)
    assert out.data_ptr() % 4
    assert torch.equal(
        stream.normal_(out, KEY, 0.0, 1.0), stream.normal_(torch.empty(100), KEY, 0, 1)
    )


@every_path
def test_nothing_and_one_element_can_be_filled(path):
    for shape in ((0,), (3, 0), (0, 5)):
        assert stream.normal_(torch.empty(shape), KEY, 0.0, 1.0, path=path).shape == shape
    assert stream.normal_(torch.empty(()), KEY, 0.0, 1.0, path=path).shape == ()
    assert stream.words(KEY, [], 0, path=path).tolist() == []


@pytest.mark.parametrize("path", [None, *PATHS])
def test_parameters_are_written_and_their_version_rises_once(path):
    p = nn.Parameter(torch.empty(20))
    stream.normal_(p, KEY, 0.0, 1.0)
    before = p._version
    stream.normal_(p, KEY, 0.0, 1.0, path=None if path == "eager" else path)
    if stream.paths() == ("eager",):  # torch's own operations raise it, each by one
        assert p._version > before
    else:
        assert p._version == before + 1
    assert p.requires_grad
    assert p.grad_fn is None


@pytest.mark.skipif(PATHS == ("eager",), reason="torch's own operations raise the version")
def test_bump_false_leaves_the_version_alone():
    p = nn.Parameter(torch.empty(20))
    stream.uniform_(p, KEY, 0.0, 1.0, bump=False)
    stream.normal_(p, KEY, 0.0, 1.0, [(0, 20)], bump=False)
    assert p._version == 0


def test_autograd_notices_that_a_saved_tensor_was_overwritten():
    p = nn.Parameter(torch.ones(3))
    loss = (p * p).sum()
    stream.normal_(p, KEY, 0.0, 1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@every_path
def test_inference_tensors_are_written_inside_and_outside_inference_mode(path):
    want = normal((30,))
    with torch.inference_mode():
        inside = normal((30,), path=path)
        assert torch.equal(stream.normal_(inside, KEY, 0.0, 1.0, 9), want)
        plain = torch.empty(6, 5).T
        stream.normal_(plain, KEY, 0.0, 1.0, 9, path=path)
        assert torch.equal(plain.reshape(-1), want)
    assert inside.is_inference()
    assert torch.equal(stream.normal_(inside, KEY, 0.0, 1.0, 9, path=path), want)
    outside = nn.Parameter(torch.empty(30))
    with torch.inference_mode():
        stream.normal_(outside, KEY, 0.0, 1.0, 9, path=path)
    assert torch.equal(outside.detach(), want)


class Tagged(Tensor):
    pass


class Wrapped(Tensor):
    """Holds its values in another tensor, as quantised and distributed tensors do."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Self:
        out = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        out.inner = inner
        return out

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        args = [a.inner if isinstance(a, Wrapped) else a for a in args]
        return func(*args, **(kwargs or {}))


def test_subclasses_are_written_where_their_values_lie():
    want = normal((12,))
    tagged = torch.empty(12).as_subclass(Tagged)
    stream.normal_(tagged, KEY, 0.0, 1.0, 9)
    assert torch.equal(tagged.as_subclass(Tensor), want)
    inner = torch.zeros(12)
    stream.normal_(Wrapped(inner), KEY, 0.0, 1.0, 9)
    assert torch.equal(inner, want)


def freed() -> Tensor:
    out = torch.empty(50)[10:]
    out.untyped_storage().resize_(0)
    return out


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (3, TargetError, "values go into a torch.Tensor; got int"),
        (torch.empty(3, dtype=torch.int64), TargetError, "a tensor of int64 cannot be filled: "),
        (torch.empty(3, dtype=torch.bool), TargetError, "the stream writes float16, bfloat16, "),
        (torch.empty(1).expand(3), TensorProblem, "holds one memory location several times"),
        (torch.empty(9).as_strided((3, 4), (2, 1)), TensorProblem, r"strides \(2, 1\) holds one"),
        (torch.empty(3, device="meta"), TensorProblem, "on the meta device has no memory"),
        (torch.eye(3).to_sparse(), TensorProblem, "layout sparse_coo cannot be filled"),
        (freed(), TensorProblem, "has been freed or is too short"),
    ],
)
@pytest.mark.parametrize("path", [None, "eager"])
def test_what_cannot_hold_values_is_refused_by_name(out, error, message, path):
    with pytest.raises(error, match=message) as raised:
        stream.normal_(out, KEY, 0.0, 1.0, path=path)
    assert isinstance(raised.value, InitkitError)


def test_memory_that_was_freed_in_part_is_not_touched():
    out = torch.zeros(1000)
    out.untyped_storage().resize_(400)
    with pytest.raises(TensorProblem, match="has been freed or is too short"):
        stream.normal_(out, KEY, 0.0, 1.0)


# ---- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda t: stream.uniform_(t, KEY, 1.0, 0.0),
            "finite low <= high; got low=1, high=0",
        ),
        (lambda t: stream.uniform_(t, KEY, 0.0, float("inf")), "low=0, high=inf"),
        (lambda t: stream.uniform_(t, KEY, float("nan"), 1.0), "low=nan"),
        (lambda t: stream.normal_(t, KEY, 0.0, -1.0), "needs finite mean and std >= 0; got mean=0"),
        (lambda t: stream.normal_(t, KEY, 0.0, 1e39), r"std=1e\+39"),
        (lambda t: stream.normal_(t, KEY, float("nan"), 1.0), "mean=nan"),
        (lambda t: stream.trunc_normal_(t, KEY, 0.0, 1.0, 2.0, 2.0), "low=2, high=2"),
        (lambda t: stream.trunc_normal_(t, KEY, 0.0, 0.0, -2.0, 2.0), "std=0"),
        (lambda t: stream.trunc_normal_(t, KEY, 0.0, 1.0, 5.0, 9.0), "too far in the tail"),
        (lambda t: stream.bernoulli(KEY, 1.5, 0, 4), "between 0 and 1; got 1.5"),
        (lambda t: stream.choice(KEY, 0, 0, 4), r"among 1 to 2\^32 things; got 0"),
        (lambda t: stream.choice(KEY, 2**32 + 1, 0, 4), "got 4294967297"),
        (lambda t: stream.normal_(t, KEY, 0.0, 1.0, path="sse"), "there is no path 'sse' here"),
    ],
)
def test_numbers_without_a_meaning_are_errors(call, message):
    with pytest.raises(OptionError, match=message):
        call(torch.empty(4))


def test_the_text_of_the_tail_error_says_what_is_asked():
    with pytest.raises(OptionError) as raised:
        trunc_bounds(0.0, 1.0, 5.0, 9.0)
    assert str(raised.value) == (
        "between low=5 and high=9 lies less than a millionth of the normal with mean 0 and std 1; "
        "that is too far in the tail to draw from"
    )


def test_tail_words_are_rounded_exactly():
    import mpmath

    rng = random.Random(0)
    with mpmath.workdps(60):
        for x in [0.0, 2.0, -2.0, 6.3, -6.9, 7.0, *(rng.gauss(0, 2.5) for _ in range(300))]:
            exact = 2**31 * mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2))
            assert tail_words(x) == int(mpmath.nint(exact))
    assert tail_words(float("inf")) == 0
    assert tail_words(float("-inf")) == 2**32


@every_path
def test_bounds_that_cut_nothing_or_one_side_only_are_fine(path):
    inf = float("inf")
    free = stream.trunc_normal_(torch.empty(4000), KEY, 0.0, 1.0, -inf, inf, path=path)
    assert torch.allclose(free, stream.normal_(torch.empty(4000), KEY, 0.0, 1.0), atol=1e-3)
    right = stream.trunc_normal_(torch.empty(4000), KEY, 0.0, 1.0, 1.0, inf, path=path)
    assert right.min() >= 1.0
    assert right.max() > 3.0
    left = stream.trunc_normal_(torch.empty(4000), KEY, 0.0, 1.0, -inf, -3.0, path=path)
    assert left.max() <= -3.0


@every_path
def test_a_uniform_never_touches_the_ends_of_its_range(path):
    n = 1 << 20
    for low, high in ((0.0, 1.0), (-0.05, 0.05)):
        out = stream.uniform_(torch.empty(n), KEY, low, high, path=path)
        assert low < out.min()
        assert out.max() < torch.tensor(high)
        assert (out != 0).all()


# ---- the kernel, and life without it ---------------------------------------------------------

needs_kernel = pytest.mark.skipif(PATHS == ("eager",), reason="the C kernel is not built")


@needs_kernel
def test_the_kernel_checks_all_that_it_is_given():
    kernel = native.load().kernel
    path, out = native.number("baseline"), torch.zeros(64)
    ptr, key, spec = out.data_ptr(), (1, 2), (2, 0.0, 1.0)
    good = [path, 0, ptr, 64, ptr, 256, 0, None, key, spec]
    kernel.fill(*good)
    kernel.fill(*good[:7], array("q", [0, 32, 100, 32]), key, spec)
    before = out.clone()
    for position, value, message in [
        (0, 9, "no such path here"),
        (1, 6, "no such dtype"),
        (1, 4, "normal needs a float dtype"),
        (2, 0, "there is no memory"),
        (2, ptr + 2, "the memory is not aligned"),
        (2, ptr + 4, "the memory is too short"),
        (2, ptr - 4, "the memory is too short"),
        (3, 65, "the memory is too short"),
        (3, 2**63, "the memory is too short"),
        (5, 255, "the memory is too short"),
        (6, 2**63, "a run leaves the range"),
        (6, 2**63 - 63, "a run leaves the range"),
        (7, b"", "the runs and the memory differ in length"),
        (7, b"12345678", "runs are pairs of int64"),
        (7, memoryview(bytearray(17))[1:], "runs are pairs of int64"),
        (8, (1,), "a key is a pair"),
        (8, (1, 2**32), "a key is two 32-bit words"),
        (8, [1, 2], "a key is a pair"),
        (9, (), "a spec is an op and up to six numbers"),
        (9, (8, 0.0), "no such op"),
        (9, (1, 1.0, 0.0), "low must not be above high"),
        (9, (2, 0.0, float("nan")), "std must not be negative"),
        (9, (2, 1e39, 1.0), "a number is not finite in float32"),
        (9, (3, 0.0, 1.0, 2.0, 1.0, 0, 4096), "low must be below high"),
        (9, (3, 0.0, 1.0, -1.0, 1.0, -1, 4096), "top or span is out of range"),
        (9, (3, 0.0, 1.0, -1.0, 1.0, 0, 2**32), "top or span is out of range"),
        (9, (4, 7), "bernoulli goes into bool"),
        (9, (0,), "words go into int64"),
        (9, (5, 7), "choice goes into int64"),
    ]:
        arguments = good.copy()
        arguments[position] = value
        with pytest.raises(ValueError, match=message):
            kernel.fill(*arguments)
    for runs in ([0, 32, 100, 33], [0, 32, 100, 31], [0, 96, 0, -32], [-1, 64]):
        with pytest.raises(ValueError, match=r"the runs and the memory differ|a run leaves"):
            kernel.fill(*good[:7], array("q", runs), key, spec)
    for wrong in ([*good, 1], good[:-1]):
        with pytest.raises(ValueError, match="fill takes 10 arguments"):
            kernel.fill(*wrong)
    with pytest.raises(OverflowError):
        kernel.fill(*good[:2], -ptr, *good[3:])
    for position, value in ((2, "ptr"), (7, 0), (7, ptr)):  # no address stands for runs
        with pytest.raises(TypeError):
            kernel.fill(*good[:position], value, *good[position + 1 :])
    with pytest.raises(ValueError, match="the table has 65536 bytes"):
        kernel.load_table(b"short")
    assert torch.equal(out, before)


@pytest.fixture
def fresh(monkeypatch):
    """Load the kernel anew in this test, and again after it."""
    for name in ("_best", "_codes"):
        monkeypatch.setattr(write, name, -1 if name == "_best" else {})
    native.load.cache_clear()
    yield monkeypatch
    native.load.cache_clear()


def test_without_the_extension_the_values_are_the_same_and_backend_says_why(fresh):
    want = normal((3000,), path=PATHS[0])
    native.load.cache_clear()
    fresh.setattr(write, "_codes", {})
    fresh.setattr(write, "_best", -1)

    def missing(name: str) -> None:
        raise ImportError("No module named 'initkit.stream._kernel'")

    fresh.setattr(native, "import_module", missing)
    assert stream.paths() == ("eager",)
    assert stream.backend() == (
        "eager torch, several times slower: No module named 'initkit.stream._kernel'"
    )
    assert torch.equal(normal((3000,)), want)


@needs_kernel
def test_a_kernel_that_computes_wrongly_is_set_aside(fresh):
    want = normal((3000,), path="baseline")
    native.load.cache_clear()
    fresh.setattr(write, "_codes", {})
    fresh.setattr(write, "_best", -1)
    fresh.setattr(native, "KNOWN", "another answer")
    assert stream.paths() == ("eager",)
    assert stream.backend().startswith(
        "eager torch, several times slower: no usable kernel; wrong "
    )
    assert torch.equal(normal((3000,)), want)


@needs_kernel
def test_a_kernel_of_another_version_is_set_aside(fresh):
    """One that lies beside newer Python files takes other arguments."""

    class Older:
        load_table, has_path = native.load().kernel.load_table, native.load().kernel.has_path

        @staticmethod
        def fill(*arguments):
            raise ValueError("fill takes 11 arguments")

    native.load.cache_clear()
    fresh.setattr(native, "import_module", lambda name: Older)
    assert stream.paths() == ("eager",)
    assert "no usable kernel; wrong answers from" in stream.backend()


@needs_kernel
def test_a_single_wrong_path_leaves_the_others(fresh):
    right = native.self_check
    fresh.setattr(native, "self_check", lambda k, p: p == 0 and right(k, p))
    assert stream.paths() == ("baseline", "eager")
    assert stream.backend().startswith("C kernel, baseline")


@needs_kernel
def test_backend_names_the_path():
    assert stream.backend() == f"C kernel, {PATHS[0]}"


def test_a_damaged_table_is_refused(monkeypatch):

    table.table_bytes.cache_clear()
    monkeypatch.setattr(table, "SHA256", "")
    with pytest.raises(InitkitError, match=r"table\.bin is damaged; install initkit again"):
        table.table_bytes()


def test_refuse_accepts_what_can_be_filled():
    for dtype in sorted(memory.FILLABLE, key=str):
        memory.refuse(torch.empty(3, dtype=dtype))


@pytest.mark.parametrize("path", [path for path in PATHS if path != "eager"])
@every_dtype
def test_memory_that_is_written_past_the_caches_holds_the_values_of_its_parts(path, dtype) -> None:
    key, count, part = stream.key(4, "large.weight"), (1 << 18) + 777, 1 << 14
    for skip in (0, 1):  # of aligned memory, and one element on
        for start in (0, 3 * 512, 100):
            whole, parts = (torch.zeros(count + 2, dtype=dtype)[skip:][:count] for _ in range(2))
            stream.normal_(whole, key, 0.0, 0.02, start, path=path)
            for at in range(0, count, part):
                stream.normal_(parts[at : at + part], key, 0.0, 0.02, start + at, path=path)
            assert torch.equal(whole, parts)
            stream.uniform_(whole, key, -1.0, 2.0, start, path=path)
            for at in range(0, count, part):
                stream.uniform_(parts[at : at + part], key, -1.0, 2.0, start + at, path=path)
            assert torch.equal(whole, parts)
