#pragma once

#include <string_view>
#include <vector>

namespace bgw::cli {

/// docs/diagnostics/E0301.md: what a diagnostic means, a program that provokes it, what bgw says, and the right way.
struct DiagnosticPage {
  std::string_view id;
  std::string_view text;  // Markdown
};

/// All pages, in the order of their ids; the build puts them into the program (cmake/EmbedPages.cmake).
const std::vector<DiagnosticPage>& diagnostic_pages();

}  // namespace bgw::cli
