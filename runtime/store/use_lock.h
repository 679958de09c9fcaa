#pragma once

#include "runtime/store/durable_file.h"
#include "runtime/store/layout.h"

namespace bgw::store {

/// Keeps those apart who decide what lies in a cache and those who take something away from it: a run holds the lock
/// shared from its first look at the results until its plan is written into the database, where whoever removes
/// results finds it; who removes holds it alone, for as long as renaming takes. The kernel lets go of it when the holder
/// dies.
class UseLock {
 public:
  /// Both wait for the other kind. @throws StoreError when the lock file cannot be made
  static UseLock shared(const Layout& layout);
  static UseLock alone(const Layout& layout);

 private:
  explicit UseLock(Descriptor file) : file_(std::move(file)) {}
  static UseLock take(const Layout& layout, int operation);
  Descriptor file_;
};

}  // namespace bgw::store
