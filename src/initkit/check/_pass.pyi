from typing_extensions import Buffer

VERSION: int

def tally(
    dtype: int,
    ptr: int,
    n: int,
    base: int,
    nbytes: int,
    centre: float,
    taken: int,
    edges: Buffer,
    middle: int,
    stride: int,
    /,
) -> tuple[float, float, float, float, int, int, tuple[int, ...], int, int] | None: ...
def lengths(
    dtype: int, ptr: int, n: int, base: int, nbytes: int, mean: float, std: float, rows: int, /
) -> tuple[tuple[float, int, float, int], tuple[float, int, float, int]]: ...
def distinct(
    dtype: int, ptr: int, n: int, base: int, nbytes: int, outer: int, count: int, /
) -> bool: ...
def runs(dtype: int, ptr: int, n: int, base: int, nbytes: int, /) -> tuple[bytes, bytes]: ...
def rises(
    dtype: int, ptr: int, n: int, base: int, nbytes: int, columns: int, transposed: bool, /
) -> int | None: ...
def sides(
    dtype: int, ptr: int, n: int, base: int, nbytes: int, columns: int, middle: float, /
) -> tuple[bytes, bytes, bytes, bytes]: ...
def following(
    drawn: Buffer,
    drawn_lengths: Buffer,
    sides: Buffer,
    lengths: Buffer,
    place: int,
    known: Buffer,
    plain: bool,
    /,
) -> list[tuple[int, int]]: ...
