"""Build the optional C kernel; everything else stands in pyproject.toml."""

from __future__ import annotations

import sys
import sysconfig

from setuptools import Extension, setup

# Contraction into fused multiply-adds would change the bits, and some compilers do it unasked.
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-ffp-contract=off"]
# One binary for every Python from 3.11 on; free-threaded builds have no stable interface yet.
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            "initkit.stream._kernel",
            ["src/initkit/stream/_kernel.c"],
            extra_compile_args=FLAGS,
            depends=["src/initkit/stream/_kernel_body.h"],
            define_macros=[("Py_LIMITED_API", "0x030b0000")] if STABLE else [],
            py_limited_api=STABLE,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE else {},
)
