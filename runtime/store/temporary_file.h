#pragma once

#include <filesystem>
#include <string>

#include "runtime/store/durable_file.h"

namespace bgw::store {

/// A file in the system's temporary folder that is gone at the end of the scope.
class TemporaryFile {
 public:
  /// @throws StoreError when it cannot be made
  TemporaryFile();
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_.get(); }
  /// Appends; throws StoreError on a full disk.
  void write(const std::string& text) const;
  /// All that it holds, whoever wrote it.
  std::string read() const;

 private:
  Descriptor descriptor_;
  std::filesystem::path path_;
};

}  // namespace bgw::store
