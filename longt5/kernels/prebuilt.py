"""Compiled kernels that a wheel brings along, one for each level of the processor's instructions.

    python -m longt5.kernels.prebuilt

compiles them into the folder ``prebuilt`` beside this file, from which a wheel takes them.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from .compiler import FLAGS, compile_library, find_compiler, source_texts

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
# The wheel's libraries of C++ may be newer than the machine's.
STATIC_FLAGS = ["-static-libstdc++", "-static-libgcc"]


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


def compile_all(compiler: str, levels: list[str]) -> list[Path]:
    """Compile these levels, and delete what was made of an earlier source.

    Raises subprocess.CalledProcessError with the compiler's words.
    """
    FOLDER.mkdir(exist_ok=True)
    paths = [library_path(level) for level in levels]
    for level, path in zip(levels, paths, strict=True):
        compile_library(compiler, [*FLAGS, *LEVELS[level][0], *STATIC_FLAGS], path)
    for path in FOLDER.glob("native-*.so"):
        if path not in [library_path(level) for level in LEVELS]:
            path.unlink()
    return paths


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m longt5.kernels.prebuilt", description="Compile the kernels of a wheel."
    )
    parser.add_argument("--levels", nargs="+", choices=list(LEVELS), default=list(LEVELS))
    arguments = parser.parse_args(argv)
    compiler = find_compiler()
    if compiler is None or not sys.platform.startswith("linux"):
        print("The kernels are compiled on Linux, by g++ or clang++.", file=sys.stderr)
        return 1
    for path in compile_all(compiler, arguments.levels):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
