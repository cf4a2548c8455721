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
def squares(
    dtype: int,
    ptr: int,
    n: int,
    base: int,
    nbytes: int,
    mean: float,
    std: float,
    by_row: Buffer,
    by_column: Buffer,
    /,
) -> None: ...
def runs(dtype: int, ptr: int, n: int, base: int, nbytes: int, /) -> tuple[bytes, bytes]: ...
