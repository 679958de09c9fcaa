#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "compiler/schema/value.h"
#include "runtime/cli/selection.h"
#include "runtime/store/cache.h"

// bgw.lock: what a program came to, in a file that lies beside it and is shared with it. JSON, sorted, the same bytes for
// the same program and cache; no host, user, time or absolute path.
//
//     params     name -> value as text, with its unit         kinds      kind -> version of its numbers
//     program    path and SHA-256; imports likewise           targets    target -> task ("train.bg") -> key
//     bgw_version, libraries                                  what made the results that were there; described, not compared
namespace bgw::cli {

/// Where the lock of a program is unless it is named: bgw.lock beside it.
std::filesystem::path default_lock(const std::string& program);

/// @param file  where it will lie; its paths start there
schema::Value make_lock(const lowering::Program& program, const std::filesystem::path& file, store::Cache& cache);

/// One thing that is not as it was locked; "none" where it is missing.
struct Drift {
  std::string what;  // "param", "file", "kind", "task"
  std::string name;
  std::string locked, now;
};
/// In that order, by name.
std::vector<Drift> drift(const schema::Value& locked, const schema::Value& now);
std::string to_text(const Drift& drift);

/// @throws CommandFailure with exit code 7 when there is none, 2 when it is no lock, 6 when a newer bgw wrote it
schema::Value read_lock(const std::filesystem::path& file);

/// What `--locked` does.
/// @throws CommandFailure with exit code 7 naming what drifted, and those of read_lock
void refuse_drift(const lowering::Program& program, const SelectionOptions& options);

}  // namespace bgw::cli
