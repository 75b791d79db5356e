#!/usr/bin/env bash
# Build the peer, llama.cpp, from the source package of llama-cpp-python into a folder.
#
#   bench/llama_cpp.sh PEER [native|avx512] [server]
#
# Afterwards PEER/bin holds llama-bench and llama-quantize, and with `server` llama-server too. `native` (the default) uses whatever this processor has;
# `avx512` leaves AMX out, which is the fair peer for psi's AVX-512 tier (PSI_ISA). Needs python3 with venv, a C++ compiler
# and pip's ordinary package index. The compiler's output goes to PEER/build.log.
set -euo pipefail

VERSION=0.3.36
PEER=${1:?usage: bench/llama_cpp.sh PEER [native|avx512] [server]}
TIER=${2:-native}
PROGRAMS=(llama-bench llama-quantize)
SERVER=OFF
if [ "${3:-}" = server ]; then
  PROGRAMS+=(llama-server)
  SERVER=ON
fi
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$PEER"
PEER=$(cd "$PEER" && pwd)

python3 -m venv "$PEER/venv"
export PATH="$PEER/venv/bin:$PATH"
pip install --quiet 'cmake>=3.28,<5' 'ninja>=1.11,<2'

SOURCE="$PEER/llama_cpp_python-$VERSION"
if [ ! -d "$SOURCE" ]; then
  pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$PEER" "llama-cpp-python==$VERSION"
  tar -xzf "$PEER"/llama_cpp_python-"$VERSION".tar.gz -C "$PEER"
fi

FLAGS=(-G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF "-DLLAMA_BUILD_SERVER=$SERVER" -DLLAMA_BUILD_UI=OFF)
case "$TIER" in
  native) FLAGS+=(-DGGML_NATIVE=ON) ;;
  avx512)
    FLAGS+=(-DGGML_NATIVE=OFF)
    for feature in SSE42 AVX AVX2 FMA F16C BMI2 AVX_VNNI AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16; do
      FLAGS+=("-DGGML_$feature=ON")
    done ;;
  *) echo "$TIER: neither native nor avx512" >&2; exit 2 ;;
esac

# GCC 12 miscompiles the tile configuration of llama.cpp's AMX kernels, and prefill of a quantised model dies of a
# protection fault; the header restores the operand. Newer compilers and other processors are not touched by it.
FLAGS+=("-DCMAKE_CXX_FLAGS=-include $HERE/amx_gcc12.h")

cmake -S "$SOURCE/vendor/llama.cpp" -B "$PEER/build-$TIER" "${FLAGS[@]}" > "$PEER/build.log" 2>&1
if ! cmake --build "$PEER/build-$TIER" --target "${PROGRAMS[@]}" >> "$PEER/build.log" 2>&1; then
  tail -n 20 "$PEER/build.log" >&2
  exit 1
fi
mkdir -p "$PEER/bin"
for program in "${PROGRAMS[@]}"; do
  cp "$PEER/build-$TIER/bin/$program" "$PEER/bin/"
done
echo "$PEER/bin: ${PROGRAMS[*]} of llama-cpp-python $VERSION, $TIER"
