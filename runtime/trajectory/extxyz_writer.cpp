#include "runtime/trajectory/extxyz_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "runtime/foundation/errors.h"

namespace bgw::trajectory {
namespace {

[[noreturn]] void fail(const std::filesystem::path& name) {
  throw StoreError(fmt::format("cannot write {}: is the disk full?", name.string()));
}

std::string comment_of(const Frame& frame) {
  std::string text = "Lattice=\"";
  for (std::size_t i = 0; i < 9; ++i) text += fmt::format("{}{}", i == 0 ? "" : " ", frame.cell[i / 3][i % 3]);
  text += "\" Properties=species:S:1:pos:R:3";
  const auto put = [&](const char* key, const std::optional<double>& value) {
    if (value) text += fmt::format(" {}={}", key, *value);
  };
  put("energy", frame.energy);
  put("weight", frame.weight);
  // A weight of zero says it alone: text has no agreed word for its logarithm.
  if (frame.log_weight && std::isfinite(*frame.log_weight)) put("log_weight", frame.log_weight);
  put("time", frame.time);
  if (frame.chain) text += fmt::format(" chain={}", *frame.chain);
  return text + fmt::format(" step={} pbc=\"T T T\"", frame.step);
}

}  // namespace

ExtxyzWriter::ExtxyzWriter(const std::filesystem::path& file, const Heading& heading)
    : name_(file), stream_(file, std::ios::binary), species_(heading.species) {
  if (!stream_) throw StoreError(fmt::format("cannot write {}", file.string()));
}

void ExtxyzWriter::write(const Frame& frame) {
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "{}\n{}\n", frame.positions.size(), comment_of(frame));
  for (const crystal::Vector3& r : frame.positions) fmt::format_to(std::back_inserter(text), "{} {} {} {}\n", species_, r[0], r[1], r[2]);
  if (!stream_.write(text.data(), static_cast<std::streamsize>(text.size()))) fail(name_);
}

void ExtxyzWriter::finish() {
  stream_.close();
  if (!stream_) fail(name_);
}

}  // namespace bgw::trajectory
