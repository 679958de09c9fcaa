# cmake -DPAGES=<folder> -DSUFFIX=.md -DHEADER=runtime/cli/diagnostic_pages.h -DTYPE=DiagnosticPage
#       -DFUNCTION=diagnostic_pages -DOUTPUT=<file.cpp> -P EmbedPages.cmake
#
# Writes the files of a folder as C++ text, so that `bgw explain`, `bgw schema` and `bgw bench` need no file when they run.
# Each becomes a {name without the suffix, text} of TYPE in the list that FUNCTION gives, in the order of the names.
cmake_minimum_required(VERSION 3.25)

file(GLOB pages "${PAGES}/*${SUFFIX}")
list(SORT pages)
set(text "// Made by cmake/EmbedPages.cmake.\n#include \"${HEADER}\"\n\n")
string(APPEND text "namespace bgw::cli {\n\nconst std::vector<${TYPE}>& ${FUNCTION}() {\n  static const std::vector<${TYPE}> pages{\n")
foreach(page IN LISTS pages)
  get_filename_component(name "${page}" NAME)
  string(REPLACE "${SUFFIX}" "" name "${name}")
  file(READ "${page}" content)
  string(APPEND text "      {\"${name}\", R\"page(${content})page\"},\n")
endforeach()
string(APPEND text "  };\n  return pages;\n}\n\n}  // namespace bgw::cli\n")
file(WRITE "${OUTPUT}" "${text}")
