#pragma once

#include <filesystem>

#include "runtime/cli/finding.h"

namespace bgw::cli {

/// Whether results can be kept at a place: can it be written, do its locks and renames work, is its database readable.
/// Makes a folder beside the cache for a moment and removes it again.
Findings cache_findings(const std::filesystem::path& cache);

}  // namespace bgw::cli
