#include "runtime/artifacts/artifact.h"

#include <cmath>
#include <stdexcept>

namespace bgw::artifacts {

std::int64_t Array::size() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

schema::Value number_or_none(double value) { return std::isfinite(value) ? schema::Value(value) : schema::Value(); }

const Array& Artifact::array(const std::string& name) const {
  const auto found = arrays.find(name);
  if (found == arrays.end()) throw std::out_of_range("the result holds no array '" + name + "'");
  return found->second;
}

const Result* Artifact::find_result(const std::string& name) const {
  for (const Result& result : results) {
    if (result.name == name) return &result;
  }
  return nullptr;
}

}  // namespace bgw::artifacts
