# cmake -DSOURCE_DIR=<repository> -DRULES_FILE=<build>/include_rules.txt -P CheckIncludeRules.cmake
#
# The walls of the house, as the test structure.includes:
#   1. a file of a room includes its own room and the rooms its USES lists, no other; what those use does not count;
#   2. a third-party library has one doorway, the room in the table below; torch is for rooms that use runtime/tensor;
#   3. a .cpp file that stands in a folder is named in a CMakeLists.txt above it;
#   4. no file is larger than 1 MB, no line names a place of one developer's machine or announces unfinished work, and
#      no build script holds an address: what is needed comes from Debian.
# Every offence is listed with file and line, then the script fails.
cmake_minimum_required(VERSION 3.25)

# library|header pattern|the only room that may include it|the header to include instead
set(doorways
  "nlohmann/json|^nlohmann/|compiler/schema|compiler/schema/value.h"
  "OpenSSL|^openssl/|compiler/plan|compiler/plan/sha256.h"
  "ANTLR|(^antlr4-runtime|(^|/)Bgw(Lexer|Parser|BaseVisitor|BaseListener))|compiler/syntax|compiler/syntax/parse.h"
  "SQLite|^sqlite3|runtime/store|the headers of runtime/store"
  "HDF5|^(hdf5|H5[A-Z])|runtime/store|the headers of runtime/store"
  "spglib|^spglib|runtime/crystal|runtime/crystal/space_group.h"
  "oneTBB|^(tbb|oneapi)/|runtime/engine|the headers of runtime/engine"
  "mustache|^kainjow/|runtime/report|the headers of runtime/report"
  "toml++|^toml\\+\\+/|runtime/cli|the headers of runtime/cli"
  "CLI11|^CLI/|runtime/cli|the headers of runtime/cli"
  "Catch2|^catch2/|tests/support|tests/support/catch.h")
set(torch_headers "^(torch|ATen|c10|caffe2)/")
set(largest_file 1000000)
# Written so that they do not find themselves.
set(unfinished_work "TO[D]O|FIX[M]E")
set(address "htt[p]s?://")
set(build_scripts "(\\.sh|\\.cmake|CMakeLists\\.txt|^bgw|^\\.ci/run)$")
set(machine_places "(^|[ \t\"'`(=:])/(work|home|root|Users)/[A-Za-z]")   # absolute, not a part of a longer path

set(offences 0)
macro(offence text)
  math(EXPR offences "${offences} + 1")
  message("${text}")
endmacro()

# The room of a path: the longest declared room that is a folder above it; "" when there is none.
function(room_of path result)
  set(folder "${path}")
  while(folder MATCHES "/")
    string(REGEX REPLACE "/[^/]*$" "" folder "${folder}")
    if(folder IN_LIST rooms)
      break()
    endif()
    if(NOT folder MATCHES "/")
      set(folder "")
    endif()
  endwhile()
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

# The number of the line of `file` that holds `text`.
function(line_of file text result)
  file(READ "${SOURCE_DIR}/${file}" content)
  string(FIND "${content}" "${text}" position)
  string(SUBSTRING "${content}" 0 ${position} before)
  string(REGEX MATCHALL "\n" newlines "${before}")
  list(LENGTH newlines count)
  math(EXPR count "${count} + 1")
  set(${result} ${count} PARENT_SCOPE)
endfunction()

file(STRINGS "${RULES_FILE}" rule_lines)
set(rooms "tests/support")
foreach(line IN LISTS rule_lines)
  if(line MATCHES "^([^:]+): ?(.*)$")
    set(room "${CMAKE_MATCH_1}")
    string(REPLACE " " ";" "uses_${room}" "${CMAKE_MATCH_2}")
    list(APPEND rooms "${room}")
  endif()
endforeach()
list(LENGTH rooms count)
if(count LESS 2)
  message(FATAL_ERROR "${RULES_FILE} names no room: configure the build first")
endif()

function(check_include file text header)
  room_of("${file}" room)
  if(file MATCHES "^tests/" AND NOT room)
    set(room tests)
  endif()
  if(header MATCHES "^(compiler|runtime)/")
    room_of("${header}" wanted)
    if(NOT EXISTS "${SOURCE_DIR}/${header}")
      set(problem "there is no ${header}")
    elseif(NOT wanted)
      set(problem "${header} is in no room: declare one with bgw_room")
    elseif(NOT room MATCHES "^tests" AND NOT wanted STREQUAL room AND NOT wanted IN_LIST uses_${room})
      set(problem "${room} does not list ${wanted} in its USES")
    endif()
  endif()
  foreach(doorway IN LISTS doorways)
    string(REPLACE "|" ";" parts "${doorway}")
    # A pattern holds bars of its own: the outer fields are the first and the last two.
    list(GET parts 0 library)
    list(GET parts -1 instead)
    list(GET parts -2 home)
    list(LENGTH parts count)
    math(EXPR count "${count} - 3")
    list(SUBLIST parts 1 ${count} pattern)
    list(JOIN pattern "|" pattern)
    if(header MATCHES "${pattern}" AND NOT room STREQUAL home)
      set(problem "${library} is included in ${home} only; use ${instead}")
    endif()
  endforeach()
  if(header MATCHES "${torch_headers}" AND NOT room MATCHES "^tests" AND NOT room STREQUAL "runtime/tensor"
      AND NOT "runtime/tensor" IN_LIST uses_${room})
    set(problem "torch is for rooms that list runtime/tensor in their USES")
  endif()
  if(DEFINED problem)
    line_of("${file}" "${text}" number)
    offence("${file}:${number}: ${text}: ${problem}")
    set(offences ${offences} PARENT_SCOPE)
  endif()
endfunction()

function(check_is_named file)
  get_filename_component(name "${file}" NAME)
  set(folder "${file}")
  while(folder MATCHES "/")
    string(REGEX REPLACE "/[^/]*$" "" folder "${folder}")
    if(EXISTS "${SOURCE_DIR}/${folder}/CMakeLists.txt")
      file(READ "${SOURCE_DIR}/${folder}/CMakeLists.txt" listing)
      string(FIND "${listing}" "${name}" position)
      if(position GREATER_EQUAL 0)
        return()
      endif()
    endif()
  endwhile()
  offence("${file}: no CMakeLists.txt above it names this source: it is never built")
  set(offences ${offences} PARENT_SCOPE)
endfunction()

# What belongs to the repository: everything but build trees, caches, and what git keeps for itself.
file(GLOB_RECURSE files RELATIVE "${SOURCE_DIR}" LIST_DIRECTORIES false "${SOURCE_DIR}/*" "${SOURCE_DIR}/.*")
list(REMOVE_DUPLICATES files)
list(FILTER files EXCLUDE REGEX "^(build|\\.git)/|(^|/)(\\.bgw|__pycache__|\\.cache)/|\\.swp$")

foreach(file IN LISTS files)
  file(SIZE "${SOURCE_DIR}/${file}" size)
  if(size GREATER largest_file)
    offence("${file}: ${size} bytes, more than ${largest_file}: make it smaller or compute it")
    continue()
  endif()
  file(STRINGS "${SOURCE_DIR}/${file}" places REGEX "${machine_places}")
  foreach(line IN LISTS places)
    offence("${file}: a place of one machine: ${line}")
  endforeach()
  file(STRINGS "${SOURCE_DIR}/${file}" unfinished REGEX "${unfinished_work}")
  foreach(line IN LISTS unfinished)
    offence("${file}: unfinished work: ${line}")
  endforeach()
  if(file MATCHES "${build_scripts}")
    file(STRINGS "${SOURCE_DIR}/${file}" addresses REGEX "${address}")
    foreach(line IN LISTS addresses)
      offence("${file}: an address in a build script: ${line}")
    endforeach()
  endif()
  if(NOT file MATCHES "\\.(h|cpp)$" OR NOT file MATCHES "^(compiler|runtime|tests)/")
    continue()
  endif()
  if(file MATCHES "\\.cpp$")
    check_is_named("${file}")
  endif()
  room_of("${file}" room)
  if(NOT room AND NOT file MATCHES "^tests/")
    offence("${file}: is in no room: declare one with bgw_room")
    continue()
  endif()
  file(STRINGS "${SOURCE_DIR}/${file}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
  foreach(text IN LISTS includes)
    if(text MATCHES "[<\"]([^>\"]+)[>\"]")
      check_include("${file}" "${text}" "${CMAKE_MATCH_1}")
    endif()
  endforeach()
endforeach()

list(LENGTH files count)
if(offences GREATER 0)
  message(FATAL_ERROR "${offences} offences in ${count} files")
endif()
message("${count} files, no offence")
