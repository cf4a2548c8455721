"""Build the optional C extensions; everything else stands in pyproject.toml."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

# Contraction into fused multiply-adds would change the bits, and some compilers do it unasked.
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-ffp-contract=off", "-Wno-psabi"]
# One binary for every Python from 3.11 on; free-threaded builds have no stable interface yet.
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")


class Wheel(bdist_wheel):
    """A wheel whose tag says what is in it: without the kernel it is for any machine."""

    def run(self) -> None:
        self.run_command("build")
        built = Path(self.get_finalized_command("build").build_lib)
        if not any(path.suffix in {".so", ".pyd"} for path in built.rglob("_kernel*")):
            self.distribution.ext_modules = []
            self.distribution.has_ext_modules = lambda: False
            self.py_limited_api = ""
            self.root_is_pure = True
        super().run()


setup(
    cmdclass={"bdist_wheel": Wheel},
    ext_modules=[
        Extension(
            "initkit.stream._kernel",
            ["src/initkit/stream/csrc/module.c"],
            extra_compile_args=FLAGS,
            depends=[str(path) for path in Path("src/initkit/stream/csrc").glob("*.h")],
            define_macros=[("Py_LIMITED_API", "0x030b0000")] if STABLE else [],
            py_limited_api=STABLE,
            optional=True,
        ),
        Extension(
            "initkit.check._pass",
            ["src/initkit/check/_pass.c"],
            extra_compile_args=FLAGS,
            depends=[f"src/initkit/check/_pass_{part}.h" for part in ("body", "heads", "types")],
            define_macros=[("Py_LIMITED_API", "0x030b0000")] if STABLE else [],
            py_limited_api=STABLE,
            optional=True,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE else {},
)
