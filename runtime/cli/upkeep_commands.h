#pragma once

#include <string>
#include <vector>

#include "runtime/cli/program_options.h"

// Commands that look after a cache; as in commands.h each prints and gives the exit code.
namespace bgw::cli {

struct CacheVerifyOptions : ProgramOptions {
  bool repair = false;
  bool evict = false;  // repairs, and removes what was made from damaged results
};
int cache_verify(const CacheVerifyOptions& options);
int cache_rebuild(const ProgramOptions& options);

struct GarbageOptions : ProgramOptions {
  std::vector<std::string> programs;  // beside which the cache lies
  std::vector<std::string> roots;     // programs whose results stay
  int keep_last = 2;
  std::string older = "30d";
  bool apply = false;
};
int collect_garbage(const GarbageOptions& options);

struct PinOptions : ProgramOptions {
  std::vector<std::string> names;
  std::string label;  // "" is made from the program and the names
};
int pin(const PinOptions& options);
int unpin(const PinOptions& options);
int pins(const ProgramOptions& options);

struct QueryOptions : ProgramOptions {
  std::vector<std::string> words;  // [PROGRAM] SELECT
  bool csv = false;
};
int query(const QueryOptions& options);

}  // namespace bgw::cli
