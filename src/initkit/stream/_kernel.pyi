def fill(
    path: int,
    dtype: int,
    ptr: int,
    n: int,
    base: int,
    nbytes: int,
    start: int,
    runs: int,
    n_runs: int,
    key: tuple[int, int],
    spec: tuple[float, ...],
    /,
) -> None: ...
def load_table(data: bytes, /) -> None: ...
def has_path(path: int, /) -> bool: ...
