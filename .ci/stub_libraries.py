"""Let a torch wheel made for CUDA run on a machine that has none of CUDA's libraries: for tests.

    python .ci/stub_libraries.py SITE_PACKAGES/torch

Older torch has no CPU wheel on the usual index, and its ordinary wheel links to gigabytes of CUDA
libraries of which CPU code calls none. Installed with ``pip install --no-deps``, it loads once each
missing library has a stand-in of functions that return 0. Needs ``readelf``, ``nm`` and ``gcc``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

# What a C library and a compiler bring; everything else must lie beside torch.
SYSTEM = re.compile(r"lib(c|m|dl|pthread|rt|util|gcc_s|stdc\+\+)\.so\.|ld-linux")
SYSTEM_VERSIONS = re.compile(r"GLIBC|GCC|CXXABI|GOMP|OMP|OACC")
# Asked at start: "no device" and "the driver is too old" are answers that torch takes calmly.
ANSWERS = {"cudaGetDeviceCount": 100, "cudaDriverGetVersion": 35}


def main(torch: Path) -> None:
    """Write the stand-ins beside torch's own libraries, and name them."""
    lib = torch / "lib"
    libraries = sorted(lib.glob("*.so*"))
    needed = {name for library in libraries for name in needed_by(library)}
    missing = sorted(n for n in needed if not (lib / n).exists() and not SYSTEM.match(n))
    owner = {v: n for lib_ in libraries for v, n in versions_of(lib_).items() if n in missing}
    functions = undefined(libraries)
    for first, name in enumerate(missing):
        mine = {v: functions[v] for v, of in owner.items() if of == name and v in functions}
        # What has no version may stand in any library that is loaded.
        write_stub(lib / name, functions.get("", set()) if first == 0 else set(), mine)
        print(name)


def needed_by(library: Path) -> list[str]:
    """Return the libraries that one links to."""
    return re.findall(r"NEEDED.*\[(.*?)\]", output("readelf", "-dW", library))


def versions_of(library: Path) -> dict[str, str]:
    """Return which library each version of a symbol is looked for in."""
    found, current = {}, ""
    for line in output("readelf", "-VW", library).splitlines():
        if name := re.search(r"File: (\S+)", line):
            current = name.group(1)
        elif version := re.search(r"Name: (\S+)", line):
            found[version.group(1)] = current
    return found


def undefined(libraries: list[Path]) -> dict[str, set[str]]:
    """Return the functions that no library defines, by the version of the symbol."""
    defined, wanted = set(), set()
    for library in libraries:
        for line in output("nm", "-D", library).splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[0] == "U":
                wanted.add(parts[1])
            elif len(parts) == 3:
                defined.add(parts[2].partition("@")[0])
    found = defaultdict(set)
    for symbol in wanted:
        name, _, version = symbol.partition("@")
        version = version.lstrip("@")
        if name in defined or name.startswith(("Py", "_Py")) or SYSTEM_VERSIONS.match(version):
            continue
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in ("_init", "_fini"):
            found[version].add(name)
    return found


def write_stub(path: Path, plain: set[str], versioned: dict[str, set[str]]) -> None:
    """Compile a library of functions that do nothing, under the versions that are asked for."""
    names = plain.union(*versioned.values())
    source = "".join(f"int {n}() {{ return {ANSWERS.get(n, 0)}; }}\n" for n in sorted(names))
    with tempfile.TemporaryDirectory() as folder:
        code, script = Path(folder) / "stub.c", Path(folder) / "versions"
        code.write_text(source)
        lines = (f"{v} {{ global: {'; '.join(sorted(of))}; }};\n" for v, of in versioned.items())
        script.write_text("".join(lines))
        options = ["-shared", "-fPIC", "-fno-builtin", "-w", f"-Wl,-soname,{path.name}"]
        if versioned:
            options.append(f"-Wl,--version-script={script}")
        output("gcc", *options, "-o", path, code)


def output(*command: str | Path) -> str:
    """Return what a command prints."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
