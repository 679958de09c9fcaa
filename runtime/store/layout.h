#pragma once

#include <filesystem>
#include <optional>

#include "compiler/plan/plan.h"

namespace bgw::store {

/// Where things lie in a cache directory (`.bgw` beside the program unless --cache says otherwise).
///
///     objects/ab/<key>/   result.h5 manifest.json task.json log.txt; complete, read-only: the proof of success
///     work/<key>/         task.json, claim, log.txt, progress.jsonl, ckpt-<n>.h5; work in progress
///     damaged/            objects that failed their checksum, moved aside and never read again
///     trash/              objects that are being removed; nothing in it counts
///     db.sqlite           history and small results; an index, never the proof
struct Layout {
  std::filesystem::path root;

  std::filesystem::path objects() const { return root / "objects"; }
  std::filesystem::path object(const plan::Key& key) const;
  std::filesystem::path work() const { return root / "work"; }
  std::filesystem::path work(const plan::Key& key) const;
  std::filesystem::path damaged() const { return root / "damaged"; }
  std::filesystem::path trash() const { return root / "trash"; }
  std::filesystem::path database() const { return root / "db.sqlite"; }
};

/// The key after which a folder of objects/ or work/ is named; nullopt for one of another name.
std::optional<plan::Key> key_named(const std::filesystem::path& folder);

/// The cache in which a `work/<key>/task.json` lies.
Layout layout_of_task(const std::filesystem::path& task_json);

}  // namespace bgw::store
