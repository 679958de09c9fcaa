#pragma once

#include <string_view>
#include <vector>

namespace bgw::cli {

/// A program of the folder benchmarks/.
struct BenchmarkProgram {
  std::string_view name;  // "fe1"
  std::string_view text;
};

/// All of them, in the order of their names; the build puts them into bgw (cmake/EmbedPages.cmake).
const std::vector<BenchmarkProgram>& benchmark_programs();

}  // namespace bgw::cli
