"""The C sources: no warning from any compiler at hand."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("src/initkit/stream/csrc/module.c", "src/initkit/check/_pass.c")
COMPILERS = ("gcc", "clang", "aarch64-linux-gnu-gcc")
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_sources_compile_without_a_warning(compiler: str, source: str) -> None:
    include = sysconfig.get_paths()["include"]
    if shutil.which(compiler) is None or not Path(include, "Python.h").exists():
        pytest.skip(f"no {compiler} with Python's headers here")
    if not (ROOT / source).exists():
        pytest.skip("tests of an installed wheel have no sources beside them")
    command = [compiler, *FLAGS, "-DPy_LIMITED_API=0x030b0000", f"-I{include}", str(ROOT / source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
