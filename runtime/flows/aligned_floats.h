#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace bgw::flows {

/// Memory for registers of any width. Not cleared.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::int64_t count) {
    const auto bytes = static_cast<std::size_t>((count * 4 + 63) / 64 * 64);
    memory_.reset(static_cast<float*>(std::aligned_alloc(64, std::max<std::size_t>(bytes, 64))));
    if (!memory_) throw std::bad_alloc();
  }
  float* get() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> memory_;
};

}  // namespace bgw::flows
