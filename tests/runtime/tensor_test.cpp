#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <mutex>
#include <set>
#include <thread>

#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

using namespace bgw;
using tensor::RandomStream;

namespace {

using Words = std::array<std::uint32_t, 4>;
const plan::Key kKey = plan::sha256("a task");

}  // namespace

TEST_CASE("Philox 4x32-10 gives the known answers of its authors") {
  CHECK(tensor::philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(tensor::philox({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(tensor::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("normal numbers have the moments of the normal distribution") {
  const Tensor x = RandomStream(kKey, "latent").normal(3, 0, 2000, 501);
  const double n = static_cast<double>(x.numel());
  CHECK(std::abs(x.mean().item<double>()) < 5 / std::sqrt(n));
  CHECK(std::abs((x * x).mean().item<double>() - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(x.pow(3).mean().item<double>()) < 5 * std::sqrt(15 / n));
  CHECK(std::abs(x.pow(4).mean().item<double>() - 3) < 5 * std::sqrt(96 / n));
  // neighbours within a Box-Muller pair, within a sample and between samples are uncorrelated
  CHECK(std::abs((x.slice(1, 0, 500) * x.slice(1, 1, 501)).mean().item<double>()) < 5 / std::sqrt(n));
  CHECK(std::abs((x.slice(0, 0, 1999) * x.slice(0, 1, 2000)).mean().item<double>()) < 5 / std::sqrt(n));
}

TEST_CASE("a sample's numbers do not depend on the batch, and a narrower sample begins alike") {
  const RandomStream stream(kKey, "latent");
  const Tensor all = stream.normal(7, 0, 10, 9);
  CHECK(at::equal(stream.normal(7, 4, 3, 9), all.slice(0, 4, 7)));
  CHECK(at::equal(stream.normal(7, 0, 10, 6), all.slice(1, 0, 6)));
  CHECK(at::equal(stream.uniform(7, 2, 1, 5), stream.uniform(7, 0, 4, 5).slice(0, 2, 3)));
}

TEST_CASE("key, purpose and step each make other numbers") {
  const Tensor x = RandomStream(kKey, "latent").uniform(0, 0, 1, 8);
  CHECK_FALSE(at::equal(RandomStream(kKey, "momentum").uniform(0, 0, 1, 8), x));
  CHECK_FALSE(at::equal(RandomStream(plan::sha256("another"), "latent").uniform(0, 0, 1, 8), x));
  CHECK_FALSE(at::equal(RandomStream(kKey, "latent").uniform(1, 0, 1, 8), x));
}

TEST_CASE("uniform numbers fill the unit interval evenly and never reach one") {
  const Tensor x = RandomStream(kKey, "u").uniform(0, 0, 1000, 100);
  CHECK(x.min().item<double>() >= 0.0);
  CHECK(x.max().item<double>() < 1.0);
  const Tensor counts = at::histc(x, 10, 0.0, 1.0);
  CHECK((counts - 10000.0).abs().max().item<double>() < 5 * std::sqrt(9000.0));
}

TEST_CASE("a permutation holds every number once and integers stay below their bound") {
  const RandomStream stream(kKey, "order");
  const Tensor order = stream.permutation(2, 1000);
  CHECK(at::equal(std::get<0>(order.sort()), at::arange(1000, at::kLong)));
  CHECK_FALSE(at::equal(order, stream.permutation(3, 1000)));
  const Tensor draws = stream.integers(0, 5000, 7);
  CHECK(draws.min().item<std::int64_t>() == 0);
  CHECK(draws.max().item<std::int64_t>() == 6);
}

TEST_CASE("tensors and arrays turn into each other without loss") {
  const Tensor x = RandomStream(kKey, "x").normal(0, 0, 3, 4).reshape({3, 2, 2});
  CHECK(at::equal(tensor::to_tensor(tensor::to_array(x, "angstrom")), x));
  CHECK(tensor::to_array(x, "angstrom").unit == "angstrom");
  const Tensor i = at::arange(6, at::kLong).reshape({2, 3});
  CHECK(at::equal(tensor::to_tensor(tensor::to_array(i)), i));
  artifacts::Array broken = tensor::to_array(x);
  broken.shape = {5};
  CHECK_THROWS_AS(tensor::to_tensor(broken), ShapeError);
}

TEST_CASE("loops over independent pieces run on several threads", "[tensor]") {
  // Compiled without OpenMP at::parallel_for is a plain loop and says nothing.
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  at::parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    const std::lock_guard<std::mutex> lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  at::set_num_threads(before);
  CHECK(threads.size() == 2);
}
