#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "compiler/plan/plan.h"
#include "runtime/foundation/errors.h"

namespace bgw::store {

/// A key as the database holds it: its 32 bytes.
inline std::string_view bytes_of(const plan::Key& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

/// Reads it back; throws StoreError for another number of bytes.
inline plan::Key key_from(const std::string& bytes) {
  plan::Key key;
  if (bytes.size() != key.bytes.size()) throw StoreError("the database holds a key of the wrong length");
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

}  // namespace bgw::store
