#pragma once
// The torch include of the house: ATen and autograd, lean (torch/torch.h costs three times as much to compile).
// Owner of the precompiled header. torch::nn and torch::optim are included by exact header where needed.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace bgw {
using at::Tensor;
}
