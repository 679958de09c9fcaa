# cmake -DPAGES=<folder of .md files> -DOUTPUT=<file.cpp> -P EmbedPages.cmake
#
# Writes the pages of docs/diagnostics as C++ text, so that `bgw explain` needs no file when it runs.
cmake_minimum_required(VERSION 3.25)

file(GLOB pages "${PAGES}/*.md")
set(text "// Made by cmake/EmbedPages.cmake from docs/diagnostics.\n#include \"runtime/cli/diagnostic_pages.h\"\n\n")
string(APPEND text "namespace bgw::cli {\n\nconst std::vector<DiagnosticPage>& diagnostic_pages() {\n  static const std::vector<DiagnosticPage> pages{\n")
foreach(page IN LISTS pages)
  get_filename_component(id "${page}" NAME_WE)
  file(READ "${page}" content)
  string(APPEND text "      {\"${id}\", R\"page(${content})page\"},\n")
endforeach()
string(APPEND text "  };\n  return pages;\n}\n\n}  // namespace bgw::cli\n")
file(WRITE "${OUTPUT}" "${text}")
