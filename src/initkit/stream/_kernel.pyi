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
def load_table(data: bytes, /) -> None: ...
def has_path(path: int, /) -> bool: ...
