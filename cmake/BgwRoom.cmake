# bgw_room(compiler/units USES compiler/source [LIBRARIES fmt::fmt ...] [TORCH] SOURCES a.cpp b.cpp)
#
# One room of the house = one static library, whose name is its path with underscores (bgw_compiler_units).
# USES is both the link line and the include rule: a file of the room may include its own room and the rooms
# it USES, nothing else (checked by the test structure.includes). TORCH marks the rooms that speak tensors:
# they share one precompiled header.
set(BGW_ROOM_LIST "" CACHE INTERNAL "rooms in the order of their declaration")

function(bgw_room room)
  cmake_parse_arguments(ARG "TORCH" "" "USES;SOURCES;LIBRARIES" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "bgw_room(${room}): unknown words ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  string(REPLACE "/" "_" target "bgw_${room}")
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(${target} ${scope} bgw_flags ${ARG_LIBRARIES})
  foreach(used IN LISTS ARG_USES)
    string(REPLACE "/" "_" used_target "bgw_${used}")
    target_link_libraries(${target} ${scope} ${used_target})
  endforeach()
  if(ARG_TORCH)
    bgw_use_torch_headers(${target})
  endif()
  set(BGW_ROOM_LIST "${BGW_ROOM_LIST};${room}" CACHE INTERNAL "")
  set(BGW_USES_${room} "${ARG_USES}" CACHE INTERNAL "")
endfunction()

# Give a torch-speaking target the shared precompiled header.
function(bgw_use_torch_headers target)
  if(target STREQUAL "bgw_runtime_tensor")
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/runtime/tensor/tensor.h)
  else()
    target_precompile_headers(${target} REUSE_FROM bgw_runtime_tensor)
  endif()
endfunction()

# Write what CheckIncludeRules.cmake reads: one line a room, "room: used used ...".
function(bgw_write_include_rules file)
  set(text "")
  foreach(room IN LISTS BGW_ROOM_LIST)
    if(room)
      string(REPLACE ";" " " uses "${BGW_USES_${room}}")
      string(APPEND text "${room}: ${uses}\n")
    endif()
  endforeach()
  file(WRITE ${file} "${text}")
endfunction()
