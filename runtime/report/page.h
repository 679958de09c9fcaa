#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/cache.h"

namespace bgw::report {

/// What a page shows.
struct PageRequest {
  const plan::Plan& plan;
  std::vector<std::size_t> tasks;  // ascending
  std::vector<std::size_t> checks;
  std::string program_text;  // its doc comments are the free text of the page
  /// The command that makes the result of this name, for results that are missing.
  std::function<std::string(const std::string& name)> command_for;
};

/// One HTML page that needs nothing but itself: results with their errors, verdicts, figures, training curves, work
/// and weight histograms, overlap matrices, the graph of the tasks, and the provenance of every number. Missing results
/// are shown as missing, with the command that makes them. A figure that cannot be drawn says why in its place.
std::string make_page(const PageRequest& request, store::Cache& cache);

/// Text as it may stand in HTML.
std::string escape_html(const std::string& text);

}  // namespace bgw::report
