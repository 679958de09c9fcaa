#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::store {

/// Something is there and could not be read: no permission, no descriptor left, a device that fails. It tells nothing of
/// what it holds, so nobody may take it for damaged.
struct Unreadable : StoreError {
  using StoreError::StoreError;
};

/// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  int release();
  void close();

 private:
  int number_;
};

/// A StoreError for a failed system call: "disk full: cannot write FILE" when that is the cause.
[[noreturn]] void throw_system_error(int error, const std::string& verb, const std::filesystem::path& path);

/// Writes a new file and makes it durable; a file that could not be written whole is removed.
void write_durably(const std::filesystem::path& path, std::string_view bytes);
/// Replaces `path` in one step: written beside, made durable, renamed.
void replace_durably(const std::filesystem::path& path, std::string_view bytes);
/// A file that others write, beside its place, and that appears there whole or not at all.
class PendingFile {
 public:
  explicit PendingFile(std::filesystem::path place);
  ~PendingFile();  // removes what was not published
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// Where it is to be written.
  const std::filesystem::path& path() const { return beside_; }
  /// Makes it durable and moves it to its place.
  /// @param replace  what stands there goes; without it, it stays and the answer is false
  bool publish(bool replace);

 private:
  std::filesystem::path place_, beside_;
};
/// Makes the entries of a directory durable.
void sync_directory(const std::filesystem::path& directory);
/// Renames; false when something stands at the new place already.
bool rename_without_replacing(const std::filesystem::path& from, const std::filesystem::path& to);
/// What stands at each of two places stands at the other afterwards. In one step where the file system can; else there
/// is a moment with nothing at `b`.
void exchange(const std::filesystem::path& a, const std::filesystem::path& b);
/// All bytes of a file.
/// @throws Unreadable when it is there and the system does not give it, StoreError when it is not there
std::string read_bytes(const std::filesystem::path& path);
/// True when something stands at `path`.
/// @throws Unreadable when the system does not tell
bool is_there(const std::filesystem::path& path);
/// What lies in a directory, sorted; nothing when it is not there or no directory.
/// @throws Unreadable when the system does not list it
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory);
/// Makes a directory and its parents; throws StoreError.
void make_directories(const std::filesystem::path& directory);

}  // namespace bgw::store
