#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::store {

/// How a result came to be. It describes the run and never enters a key.
struct Provenance {
  std::string bgw_version = BGW_VERSION;
  std::string host;
  std::string device = "cpu";
  int cpus = 1;
  std::int64_t started = 0;  // UTC, microseconds since 1970; of the first attempt that left a trace
  std::int64_t ended = 0;
  schema::Map libraries;     // name -> version, of what computed the numbers
  std::optional<plan::Key> extended_from;  // the finished work of fewer steps or samples that it went on from

  bool operator==(const Provenance&) const = default;
};

/// What manifest.json says of an object: enough for `plan` and `show` without opening HDF5.
struct Manifest {
  struct File {
    std::uint64_t bytes = 0;
    plan::Key sha256;
  };

  plan::Key key;
  std::string name;  // of the task, as the program that made it called it
  std::string kind;
  int version = 1;
  std::string preimage;                     // the canonical JSON whose SHA-256 is the key
  std::map<std::string, plan::Key> inputs;  // role -> key
  std::map<std::string, File> files;        // every file of the object but the manifest
  std::vector<artifacts::Result> results;
  artifacts::Cost cost;
  Provenance provenance;

  const artifacts::Result* find_result(const std::string& result_name) const;  // or nullptr
};

/// Text of manifest.json. Its last member, "sha256", is the checksum of all the others.
std::string to_json(const Manifest& manifest);
/// Reads and checks that text; throws std::runtime_error saying what is wrong with it.
Manifest parse_manifest(const std::string& text);

/// Results as JSON; a number that is not finite is written as null and read back as NaN.
schema::Value to_value(const std::vector<artifacts::Result>& results);
std::vector<artifacts::Result> results_from(const schema::Value& value);

}  // namespace bgw::store
