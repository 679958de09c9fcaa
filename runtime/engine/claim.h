#pragma once

#include <filesystem>
#include <optional>

#include "runtime/engine/observer.h"
#include "runtime/store/durable_file.h"

namespace bgw::engine {

/// The right to work on one task: an flock on work/<key>/claim.
///
/// The kernel lets go of it when the last holder dies, so there is nothing to unlock by hand. The child inherits the
/// descriptor: as long as either lives, nobody else starts the task.
class Claim {
 public:
  /// Makes the work directory when needed; nullopt when somebody else holds the claim.
  /// @throws StoreError when the directory cannot be written
  static std::optional<Claim> try_take(const std::filesystem::path& work);
  /// For the child to inherit.
  int descriptor() const { return file_.get(); }

 private:
  explicit Claim(store::Descriptor file) : file_(std::move(file)) {}
  store::Descriptor file_;
};

/// Whether somebody works on the task now; makes nothing.
/// @throws StoreError when the claim is there and cannot be opened
bool is_claimed(const std::filesystem::path& work);
/// Who holds the claim, as far as the file tells.
ClaimOwner claim_owner(const std::filesystem::path& work);

}  // namespace bgw::engine
