# One interface target carries every flag: targets that share a precompiled header must agree on all of them.
add_library(bgw_flags INTERFACE)
target_compile_options(bgw_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
# False alarms of GCC 12 once it optimises: an overlap in "text" + std::string that cannot be (GCC bug 105651), and members
# of a std::variant that are not alive as uninitialised or out of bounds (GCC bugs 105562, 107852).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(bgw_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds)
endif()
# The same numbers on every machine: no contraction of a*b+c into fma, which exists on some processors only.
target_compile_options(bgw_flags INTERFACE -ffp-contract=off)
target_compile_definitions(bgw_flags INTERFACE BGW_VERSION="${PROJECT_VERSION}")
target_include_directories(bgw_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
if(BGW_WERROR)
  target_compile_options(bgw_flags INTERFACE -Werror)
endif()
if(BGW_SANITIZE)
  target_compile_options(bgw_flags INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(bgw_flags INTERFACE -fsanitize=address,undefined)
endif()
if(BGW_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "fuzzing needs clang: cmake --preset fuzz")
  endif()
  # The generated parser, too: coverage of it leads the fuzzer.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(BGW_CCACHE ccache)
if(BGW_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${BGW_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BGW_CCACHE})
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)   # lets ccache see through the precompiled header
endif()
find_program(BGW_LLD ld.lld)
if(BGW_LLD)
  add_link_options(-fuse-ld=lld)
endif()
