#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/artifacts/artifact.h"
#include "runtime/store/layout.h"
#include "runtime/store/manifest.h"

namespace bgw::store {

/// What one object turned out to be when it was looked at. An untouched one was found sound before, and nobody wrote to
/// it since; an unreadable one is there, and the system does not give its bytes (permission, descriptors, a failing
/// device), so nobody knows.
enum class ObjectState { absent, sound, untouched, damaged, unreadable };

/// The same with the cause: the file and what is wrong with it; empty for a sound one.
struct ObjectReport {
  ObjectState state = ObjectState::absent;
  std::string cause;
};

/// Finished results on disk: written once under their key, complete or invisible, never changed afterwards.
///
/// Publishing writes everything into work/<key>/out.<token>, makes each file durable, writes the manifest last and
/// renames the directory to its place without replacing, so that a crash or a full disk at any point leaves either
/// no object or the whole of it. Of two publishers one wins and the other finds the same object. All functions may be
/// called from several threads and processes at once.
class ObjectStore {
 public:
  explicit ObjectStore(Layout layout) : layout_(std::move(layout)) {}
  const Layout& layout() const { return layout_; }

  /// True when the object is there and its files have the sizes its manifest names. Cheap: no file is read but the
  /// manifest.
  /// @throws Unreadable
  bool contains(const plan::Key& key) const { return quick_look(key) == ObjectState::sound; }
  /// The same, telling an absent object from a damaged one.
  /// @throws Unreadable
  ObjectState quick_look(const plan::Key& key) const;
  /// Reads every file and compares checksums.
  /// @throws Unreadable
  ObjectState verify(const plan::Key& key) const;
  /// The same for those who look after the cache: tells what is wrong and never throws for it.
  ObjectReport inspect(const plan::Key& key) const;

  /// What the file system says of the files of an object: names, sizes, inodes, times. While it stays what it was when
  /// verify() found the object sound, nobody wrote to it. "" when the object is absent.
  std::string stamp(const plan::Key& key) const;

  /// @throws StoreError when the object is absent or its manifest does not hold together, Unreadable
  Manifest manifest(const plan::Key& key) const;
  /// nullopt when absent or damaged; throws Unreadable
  std::optional<Manifest> find_manifest(const plan::Key& key) const;
  /// The specification with which the object was made.
  plan::TaskSpec task(const plan::Key& key) const;
  /// The whole result. The checksum of result.h5 is compared on the very bytes that are decoded.
  /// @throws StoreError naming the object and the way out when it is absent or damaged
  artifacts::Artifact load(const plan::Key& key) const;
  /// The bytes of one file that the manifest names, compared with its checksum.
  /// @throws StoreError as load()
  std::string load_file(const plan::Key& key, const std::string& name) const;

  /// Files that only some objects have, beside result.h5, task.json and log.txt: name -> bytes.
  using ExtraFiles = std::map<std::string, std::string>;
  /// Called with the name of each step of publishing before it is taken; tests interrupt there.
  using StepHook = std::function<void(std::string_view step)>;
  /// Makes `artifact` the result of `spec`, with the log as it stands in work/<key>/log.txt.
  /// @param existing  what becomes of an object that stands there: a sound one stays, or it is replaced in one step
  /// @throws StoreError when the disk is full or refuses; nothing of the object is visible then
  enum class Existing { stays, is_replaced };
  void publish(const plan::TaskSpec& spec, const artifacts::Artifact& artifact, const Provenance& provenance,
               const StepHook& before_step = {}, Existing existing = Existing::stays, const ExtraFiles& extra = {}) const;

  /// Moves a damaged object out of sight, into damaged/; returns where it lies now, nullopt when another process was
  /// quicker and there is none any more.
  std::optional<std::filesystem::path> set_aside(const plan::Key& key) const;
  /// Every key that has an object directory, sound or not; throws Unreadable when a folder cannot be listed.
  std::vector<plan::Key> keys() const;

 private:
  /// Sizes alone, or checksums too.
  ObjectReport look(const plan::Key& key, bool read_all) const;
  ObjectReport look_once(const plan::Key& key, bool read_all) const;
  Manifest parse_own_manifest(const plan::Key& key) const;

  Layout layout_;
};

}  // namespace bgw::store
