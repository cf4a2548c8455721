from typing_extensions import Buffer

def fill(
    path: int,
    dtype: int,
    ptr: int,
    n: int,
    base: int,
    nbytes: int,
    start: int,
    runs: Buffer | None,
    key: tuple[int, int],
    spec: tuple[float, ...],
    /,
) -> None: ...
def fill_many(
    path: int,
    seed: int,
    rows: list[tuple[int, int, int, int, int, int, str, tuple[float, ...]]],
    /,
) -> None: ...
def sums(
    path: int, ptr: int, n: int, base: int, nbytes: int, start: int, runs: Buffer | None, /
) -> tuple[int, int, int, int]: ...
def load_table(data: bytes, /) -> None: ...
def has_path(path: int, /) -> bool: ...
