# cmake -DCHECK=<CheckIncludeRules.cmake> -DSCRATCH=<folder> -P planted_violations.cmake
#
# A test of the test: a small clean house passes, and each violation planted in it alone is found and named.
cmake_minimum_required(VERSION 3.25)

function(make_clean_house)
  file(REMOVE_RECURSE ${SCRATCH})
  file(WRITE ${SCRATCH}/build/include_rules.txt
    "compiler/source: \ncompiler/units: compiler/source\ncompiler/plan: compiler/units\nruntime/tensor: compiler/plan\nruntime/physics: runtime/tensor\n")
  file(WRITE ${SCRATCH}/compiler/source/file.h "#pragma once\n#include <string>\n")
  file(WRITE ${SCRATCH}/compiler/units/unit.h "#pragma once\n#include \"compiler/source/file.h\"\n")
  file(WRITE ${SCRATCH}/compiler/plan/CMakeLists.txt "bgw_room(compiler/plan SOURCES plan.cpp)\n")
  file(WRITE ${SCRATCH}/compiler/plan/plan.cpp "#include <openssl/evp.h>\n\n#include \"compiler/units/unit.h\"\n")
  file(WRITE ${SCRATCH}/runtime/tensor/tensor.h "#pragma once\n#include <ATen/ATen.h>\n")
  file(WRITE ${SCRATCH}/runtime/physics/box.h "#pragma once\n#include <ATen/core/Tensor.h>\n")
  file(WRITE ${SCRATCH}/tests/support/catch.h "#pragma once\n#include <catch2/catch.hpp>\n")
endfunction()

function(run_check passed said)
  execute_process(COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${SCRATCH} -DRULES_FILE=${SCRATCH}/build/include_rules.txt -P ${CHECK}
    RESULT_VARIABLE outcome ERROR_VARIABLE text OUTPUT_VARIABLE text)
  if(outcome EQUAL 0)
    set(${passed} TRUE PARENT_SCOPE)
  else()
    set(${passed} FALSE PARENT_SCOPE)
  endif()
  set(${said} "${text}" PARENT_SCOPE)
endfunction()

# Plants `content` at `file`, and demands a failure that says `expected`.
function(expect_offence file content expected)
  make_clean_house()
  file(WRITE ${SCRATCH}/${file} "${content}")
  run_check(passed said)
  string(FIND "${said}" "${expected}" position)
  if(passed OR position LESS 0)
    message(SEND_ERROR "planted in ${file}: expected a failure that says\n  ${expected}\nbut the check said\n${said}")
  endif()
endfunction()

make_clean_house()
run_check(passed said)
if(NOT passed)
  message(SEND_ERROR "the clean house fails:\n${said}")
endif()

expect_offence(compiler/source/file.h "#pragma once\n#include \"compiler/plan/plan.cpp\"\n"
  "compiler/source/file.h:2: #include \"compiler/plan/plan.cpp\": compiler/source does not list compiler/plan in its USES")
expect_offence(compiler/plan/extra.h "#include \"compiler/source/file.h\"\n"
  "compiler/plan does not list compiler/source in its USES")   # used by a room it uses: not enough
expect_offence(compiler/units/unit.h "#include \"compiler/source/gone.h\"\n" "there is no compiler/source/gone.h")
expect_offence(compiler/other/x.h "#pragma once\n" "compiler/other/x.h: is in no room")
expect_offence(compiler/units/unit.h "#include <nlohmann/json.hpp>\n" "nlohmann/json is included in compiler/schema only")
expect_offence(compiler/units/unit.h "#include <openssl/evp.h>\n" "OpenSSL is included in compiler/plan only")
expect_offence(runtime/physics/box.h "#include <hdf5.h>\n" "HDF5 is included in runtime/store only")
expect_offence(runtime/physics/box.h "  #  include \"grammar/BgwParser.h\"\n" "ANTLR is included in compiler/syntax only")
expect_offence(runtime/physics/box.h "#include <tbb/flow_graph.h>\n" "oneTBB is included in runtime/engine only")
expect_offence(tests/runtime/store_test.h "#include <sqlite3.h>\n" "SQLite is included in runtime/store only")
expect_offence(tests/runtime/store_test.h "#include <catch2/catch.hpp>\n" "Catch2 is included in tests/support only")
expect_offence(compiler/units/unit.h "#include <torch/torch.h>\n" "torch is for rooms that list runtime/tensor")
expect_offence(compiler/plan/lost.cpp "int x;\n" "compiler/plan/lost.cpp: no CMakeLists.txt above it names this source")
# Put together here, lest the check find these lines.
set(place "home/someone")
set(scheme "https:")
set(later "TO" "DO")
list(JOIN later "" later)
expect_offence(compiler/units/unit.h "// ${later}: more units\n" "compiler/units/unit.h: unfinished work")
expect_offence(cmake/fetch.cmake "file(DOWNLOAD ${scheme}//example.org/x y)\n" "cmake/fetch.cmake: an address in a build script")
expect_offence(docs/page.md "see /${place}/notes\n" "docs/page.md: a place of one machine")
string(REPEAT "x" 1000001 large)
expect_offence(workflows/large.dat "${large}" "workflows/large.dat: 1000001 bytes")
