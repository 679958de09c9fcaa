#pragma once

#include <string>
#include <vector>

namespace bgw::cli {

enum class Verdict { ok, warn, bad };

/// One line of `bgw doctor`.
struct Finding {
  std::string what;     // "cpus", "cache"
  Verdict verdict = Verdict::ok;
  std::string text;     // what was found
  std::string way_out;  // what to do about it; "" where nothing is wrong
};
using Findings = std::vector<Finding>;

}  // namespace bgw::cli
