"""Compiled kernels that a wheel brings along, one for each level of the processor's instructions.

    python -m longt5.kernels.prebuilt --glibc 2.28

compiles them into the folder ``prebuilt`` beside this file, from which a wheel takes them.
``--glibc`` links them by zig (``pip install ziglang``), which knows the functions of every version
of the C library; without it they need the version of this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .compiler import FLAGS, compile_library, compile_object, find_compiler, source_texts

FOLDER = Path(__file__).with_name("prebuilt")
_WIDE = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}
_HALF = _WIDE | {"avx512_bf16", "avx512_vnni"}
# The best first: flags of the compiler, and what the processor must have.
LEVELS: dict[str, tuple[list[str], set[str]]] = {
    "amx": (["-march=sapphirerapids"], _HALF | {"amx_tile", "amx_bf16", "amx_int8", "avx512_fp16"}),
    "avx512-bf16": (["-march=x86-64-v4", "-mavx512bf16", "-mavx512vnni"], _HALF),
    "avx512": (["-march=x86-64-v4"], _WIDE),
    "avx2": (["-march=x86-64-v3"], {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"}),
}
# The wheel's libraries of C++ may be newer than the machine's. What no kernel uses is left out.
STATIC_FLAGS = ["-static-libstdc++", "-static-libgcc", "-Wl,--gc-sections"]
EXPORTED_SYMBOLS = "{ global: longt5_*; local: *; };"
# A variable of glibc 2.32 that g++'s library reads: 0 is right in any program.
OLD_GLIBC_SOURCE = "char __libc_single_threaded = 0;"


def matching_library(features: set[str], narrow: bool) -> Path | None:
    """Return the best kernel of this version that a processor with these features runs.

    ``narrow``: torch is kept to AVX2, so the kernel is too.
    """
    for level, (_, needed) in LEVELS.items():
        path = library_path(level)
        if needed <= features and not (narrow and level != "avx2") and path.is_file():
            return path
    return None


def library_path(level: str, folder: Path | None = None) -> Path:
    """Return the file of a level; its name holds a hash of the source that it was made of."""
    text = "\n".join(source_texts()) + " ".join(LEVELS[level][0])
    made_of = hashlib.sha256(text.encode()).hexdigest()[:12]
    return (folder or FOLDER) / f"native-{level}-{made_of}.so"


def compile_all(compiler: str, levels: list[str], glibc: str | None = None) -> list[Path]:
    """Compile these levels, and delete what was made of an earlier source.

    ``glibc``: the oldest version of the C library to run with, None for this machine's. Raises
    subprocess.CalledProcessError with the compiler's words.
    """
    FOLDER.mkdir(exist_ok=True)
    paths = [library_path(level) for level in levels]
    for level, path in zip(levels, paths, strict=True):
        flags = [*FLAGS, *LEVELS[level][0]]
        if glibc is None:
            compile_library(compiler, [*flags, *STATIC_FLAGS], path)
        else:
            compile_for(glibc, compiler, flags, path)
    for path in FOLDER.glob("native-*.so"):
        if path not in [library_path(level) for level in LEVELS]:
            path.unlink()
    return paths


def compile_for(glibc: str, compiler: str, flags: Sequence[str], path: Path) -> None:
    """Compile by g++ and link by zig, so that a library needs no newer glibc than this one.

    zig's own compiler would ask for another OpenMP library than the one that torch brings.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        made, exports = folder / path.name, folder / "exports.map"
        old, kernel = folder / "old_glibc.c", folder / "native.o"
        exports.write_text(EXPORTED_SYMBOLS, "utf-8")
        old.write_text(OLD_GLIBC_SOURCE, "utf-8")
        compile_object(compiler, flags, kernel)
        libraries = ("libstdc++.a", "libgcc_s.so.1", "libgomp.so")
        inputs = [str(kernel), str(old), *(_library_of(compiler, x) for x in libraries), "-lm"]
        target = ["-target", f"x86_64-linux-gnu.{glibc}", "-shared", "-pthread"]
        options = ["-Wl,--gc-sections", "-Wl,-s", f"-Wl,--version-script={exports}"]
        zig = [sys.executable, "-m", "ziglang", "cc", *target, *options]
        subprocess.run([*zig, *inputs, "-o", str(made)], check=True, capture_output=True)
        made.replace(path)


def _library_of(compiler: str, name: str) -> str:
    """Return the path of a library that belongs to the compiler."""
    command = [compiler, f"-print-file-name={name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m longt5.kernels.prebuilt", description="Compile the kernels of a wheel."
    )
    parser.add_argument("--levels", nargs="+", choices=list(LEVELS), default=list(LEVELS))
    parser.add_argument("--glibc", metavar="VERSION", help="the oldest C library to run with, 2.28")
    arguments = parser.parse_args(argv)
    compiler = find_compiler()
    if compiler is None or not sys.platform.startswith("linux"):
        print("The kernels are compiled on Linux, by g++ or clang++.", file=sys.stderr)
        return 1
    if arguments.glibc and importlib.util.find_spec("ziglang") is None:
        print("--glibc needs zig: pip install ziglang", file=sys.stderr)
        return 1
    try:
        paths = compile_all(compiler, arguments.levels, arguments.glibc)
    except subprocess.CalledProcessError as problem:
        print(
            "A kernel was not compiled:", problem.stderr.decode(errors="replace"), file=sys.stderr
        )
        return 1
    print(*paths, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
