#pragma once

#include <algorithm>

namespace bgw::engine {

/// When to save the state of a task. At a kill no more than the interval and one step shall be lost. So time counts from
/// the moment whose state was saved, not from the end of writing it, and the next one has to be written when the interval
/// is over, not begun. Where writing takes most of the interval, half of the time still belongs to the work.
///
/// Free of clocks: times are seconds since any moment.
class CheckpointRhythm {
 public:
  CheckpointRhythm(double interval, double now) : interval_(interval), last_(now) {}

  bool is_due(double now) const {
    const double pause = interval_ > 0 ? std::max(interval_ - writing_, 2 * writing_) : 0;
    return now - last_ >= pause;
  }
  /// @return true once, when writing takes more than a tenth of the interval
  bool saved(double begin, double end) {
    constexpr double kDear = 0.1;
    last_ = begin;
    writing_ = end - begin;
    const bool tell = !told_ && interval_ > 0 && writing_ > kDear * interval_;
    told_ = told_ || tell;
    return tell;
  }

 private:
  double interval_;
  double last_;
  double writing_ = 0;
  bool told_ = false;
};

}  // namespace bgw::engine
