#pragma once

#include <filesystem>
#include <string>

namespace bgw::store {

/// Where a file lies, as far as it matters for locks and for a database.
struct FileSystem {
  std::string name;      // "ext4", "nfs"; "unknown" for one we have no name for
  bool network = false;  // or one whose memory maps are not shared like those of a local disk
  bool in_memory = false;
  double free_bytes = 0; // for this user; 0: not known
};

/// @param path  need not exist: its nearest folder that does is asked
FileSystem file_system_of(const std::filesystem::path& path);

}  // namespace bgw::store
