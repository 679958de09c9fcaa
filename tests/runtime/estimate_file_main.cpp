// Estimates from numbers in a file, for comparison with other programs (tests/scripts/against_pymbar.py, against_scipy.py).
//
//   estimate_file FILE    the first word says which: "mbar K N_1 .. N_K", then K rows of the energies of all samples;
//                         "bar n_F n_R", then the forward and the reverse works; "pareto n", then log weights. Prints
//                         numbers one a line: the free energies and the overlap matrix, the difference, or the shape of the
//                         tail. Exit 1 with the message of a refusal.

#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/pareto.h"

using namespace bgw;

namespace {

Tensor numbers_from(std::istream& in, std::int64_t count) {
  Tensor numbers = at::empty({count}, at::kDouble);
  for (std::int64_t i = 0; i < count; ++i) in >> numbers.data_ptr<double>()[i];
  if (!in) throw std::runtime_error("the file ends too early");
  return numbers;
}

void print_rows(const Tensor& numbers) {
  const Tensor flat = numbers.contiguous();
  for (std::int64_t i = 0; i < flat.numel(); ++i) std::printf("%.17g\n", flat.data_ptr<double>()[i]);
}

void mbar_of(std::istream& in) {
  std::int64_t states = 0;
  in >> states;
  const Tensor counts = numbers_from(in, states).to(at::kLong);
  const std::int64_t samples = counts.sum().item<std::int64_t>();
  const Tensor energies = numbers_from(in, states * samples).view({states, samples});
  estimators::MbarOptions options;
  options.bootstrap = 2;
  const auto result = estimators::mbar(energies, counts, at::arange(samples, at::kLong), plan::Key{}, options);
  print_rows(result.free_energies);
  print_rows(result.overlap_matrix);
}

void bar_of(std::istream& in) {
  std::int64_t forward = 0, reverse = 0;
  in >> forward >> reverse;
  const Tensor works = numbers_from(in, forward + reverse);
  const auto result = estimators::bar(works.slice(0, 0, forward), estimators::single_samples(forward),
                                      works.slice(0, forward), estimators::single_samples(reverse), plan::Key{});
  std::printf("%.17g\n", result.delta_f.value);
}

void pareto_of(std::istream& in) {
  std::int64_t count = 0;
  in >> count;
  std::printf("%.17g\n", estimators::pareto_k(numbers_from(in, count)));
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count != 2) throw std::runtime_error("usage: estimate_file FILE");
    std::ifstream in(words[1]);
    std::string what;
    if (!(in >> what)) throw std::runtime_error("cannot read " + std::string(words[1]));
    what == "mbar" ? mbar_of(in) : what == "bar" ? bar_of(in) : pareto_of(in);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
