# A toolchain file: builds for aarch64 on another processor, and runs what is built there by emulation.
# It wants, of Debian: g++-aarch64-linux-gnu, qemu-user-static, and of the architecture arm64 libstdc++6 and zlib1g.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# A linker for another processor does not look beside LibTorch's libraries for what these need.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,--unresolved-symbols=ignore-in-shared-libs)
