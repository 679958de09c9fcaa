#include "runtime/flows/step.h"

#include <algorithm>

namespace bgw::flows {

Tensor StepChain::forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  Tensor y = x;
  for (const auto& step : steps_) y = step->forward(y, parameters, log_det);
  return y;
}

Tensor StepChain::inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  Tensor x = y;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) x = (*step)->inverse(x, parameters, log_det);
  return x;
}

std::vector<Tensor> StepChain::states(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  std::vector<Tensor> passed{x};
  for (const auto& step : steps_) passed.push_back(step->forward(passed.back(), parameters, log_det));
  return passed;
}

std::vector<Tensor> StepChain::states_before(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  std::vector<Tensor> passed{y};
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    passed.push_back((*step)->inverse(passed.back(), parameters, log_det));
  }
  std::reverse(passed.begin(), passed.end());
  return passed;
}

Tensor StepChain::pull_back(const std::vector<Tensor>& states, const Tensor& parameters, const Tensor& y_bar,
                            double log_det_bar, Tensor* gradient) const {
  Tensor bar = y_bar;
  for (std::size_t i = steps_.size(); i-- > 0;) {
    bar = steps_[i]->pull_back(states[i], parameters, bar, log_det_bar, gradient);
  }
  return bar;
}

Tensor StepChain::carry_score(const std::vector<Tensor>& states, const Tensor& parameters, const Tensor& score,
                              Tensor* gradient) const {
  Tensor carried = score;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    carried = steps_[i]->carry_score(states[i], parameters, carried, gradient);
  }
  return carried;
}

}  // namespace bgw::flows
