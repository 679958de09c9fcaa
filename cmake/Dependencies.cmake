# Every library bgw links and every fact about its version, in one place. docs/decisions gives the reasons.

# The compiler's; a build for fuzzing needs no others.
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_program(BGW_ANTLR4 antlr4 REQUIRED)
# spglib 2.0 of Debian 12 brings no CMake package.
find_path(BGW_SPGLIB_INCLUDE spglib.h REQUIRED)
find_library(BGW_SPGLIB_LIBRARY symspg REQUIRED)
add_library(bgw_spglib INTERFACE)
target_include_directories(bgw_spglib SYSTEM INTERFACE ${BGW_SPGLIB_INCLUDE})
target_link_libraries(bgw_spglib INTERFACE ${BGW_SPGLIB_LIBRARY})
if(BGW_FUZZ)
  return()
endif()

# A LibTorch in CMAKE_PREFIX_PATH wins over the system's. A Python wheel names only its share/cmake folder; without
# its own lib folder in the search path TorchConfig would pair the wheel's headers with the system's libraries.
string(REPLACE ":" ";" environment_prefixes "$ENV{CMAKE_PREFIX_PATH}")
foreach(prefix IN LISTS CMAKE_PREFIX_PATH environment_prefixes)
  if(EXISTS ${prefix}/Torch/TorchConfig.cmake)
    get_filename_component(torch_root ${prefix}/../.. ABSOLUTE)
    list(PREPEND CMAKE_PREFIX_PATH ${torch_root})
  endif()
endforeach()
# A CUDA LibTorch asks the GPU for its architecture at configure time, and fails where there is none.
if(NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
  set(ENV{TORCH_CUDA_ARCH_LIST} "8.0;9.0")
endif()
find_package(Torch REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(CLI11 REQUIRED)
find_package(TBB REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(Threads REQUIRED)
find_path(BGW_TOML_INCLUDE toml++/toml.h REQUIRED)
find_program(BGW_GNUPLOT gnuplot)

if(Torch_VERSION VERSION_LESS 1.13)
  message(FATAL_ERROR "LibTorch ${Torch_VERSION} is too old: bgw needs 1.13 or later")
endif()
if(TORCH_CXX_FLAGS MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  message(FATAL_ERROR "this LibTorch was built with the old C++ string ABI and does not mix with the system's libraries: take a wheel of version 2.7 or later")
endif()

# Catch2 2 (Debian 12) and 3 (Debian 13) both bring Catch2::Catch2WithMain.
find_package(Catch2 REQUIRED)

# LibTorch as a system library: its headers are not ours to warn about.
add_library(bgw_torch INTERFACE)
target_include_directories(bgw_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# at::parallel_for is a header: compiled without OpenMP it is a plain loop, and says nothing.
target_link_libraries(bgw_torch INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
# A wheel brings an fmt of its own among its headers, newer than the library we link: used header-only, the two live in
# different inline namespaces and do not meet.
foreach(directory IN LISTS TORCH_INCLUDE_DIRS)
  if(NOT directory STREQUAL "/usr/include" AND EXISTS ${directory}/fmt/format.h)
    target_compile_definitions(bgw_torch INTERFACE FMT_HEADER_ONLY)
  endif()
endforeach()
