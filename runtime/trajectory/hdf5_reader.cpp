#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_stream.h"
#include "runtime/trajectory/frame_reader.h"

namespace bgw::trajectory {
namespace {

using crystal::Matrix3;
using crystal::Vector3;

/// Where things lie in a file.
struct Places {
  std::string positions, cell, time, step, log_weight, weight, chain, species;
};

/// The first group of particles with positions that change in time.
std::optional<Places> places_of_h5md(const store::Hdf5Reader& file) {
  for (const std::string& group : file.members("particles")) {
    const std::string all = "particles/" + group;
    if (!file.has(all + "/position/value")) continue;
    Places places{all + "/position/value", all + "/box/edges", all + "/position/time", all + "/position/step",
                  "observables/log_weight/value", "observables/weight/value", "observables/chain/value", all + "/species"};
    if (!file.has(places.cell)) places.cell += "/value";
    return places;
  }
  return std::nullopt;
}

class Hdf5FrameReader : public FrameReader {
 public:
  explicit Hdf5FrameReader(const std::filesystem::path& name) : name_(name.string()), file_(name) {
    const auto h5md = places_of_h5md(file_);
    places_ = h5md ? *h5md : Places{"positions", "cell", "time", "step", "log_weight", "weight", "chain", "species"};
    if (!file_.has(places_.positions)) fail("holds neither particles/…/position/value, as H5MD does, nor a data set `positions` [n, N, 3]");
    const std::vector<std::int64_t> shape = file_.shape(places_.positions);
    if (shape.size() != 3 || shape[2] != 3 || shape[1] < 1) fail(fmt::format("`{}` is not of the shape [n, N, 3]", places_.positions));
    frames_ = shape[0];
    atoms_ = shape[1];
    if (!file_.has(places_.cell)) fail(fmt::format("a crystal needs its cell: there is no `{}`", places_.cell));
    cell_shape_ = file_.shape(places_.cell);
    check_cell_shape();
    species_ = file_.enumeration(places_.species);
    has_time_ = has_column(places_.time) && is_trajectory();
    if (has_time_) time_unit_ = time_unit();
  }

  std::string length_unit() const override { return file_.text_attribute(places_.positions, "unit"); }

  std::optional<Frame> next() override {
    if (index_ == frames_) return std::nullopt;
    Frame frame;
    frame.step = has_column(places_.step) ? static_cast<std::int64_t>(number(places_.step)) : index_;
    const std::vector<double> x = file_.rows(places_.positions, index_, 1);
    for (std::size_t i = 0; i < x.size(); i += 3) frame.positions.push_back({x[i], x[i + 1], x[i + 2]});
    frame.cell = cell();
    if (species_.size() == 1) frame.species.assign(static_cast<std::size_t>(atoms_), species_[0]);
    if (species_.size() > 1) frame.species = species_;
    if (has_time_) frame.time = number(places_.time) * time_unit_;
    if (has_column(places_.log_weight)) frame.log_weight = number(places_.log_weight);
    else if (has_column(places_.weight)) frame.log_weight = std::log(number(places_.weight));
    if (has_column(places_.chain)) frame.chain = static_cast<std::int64_t>(number(places_.chain));
    ++index_;
    return frame;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw InputError(fmt::format("{}: {}", name_, problem)); }

  /// [3], [3, 3], or one of them for each frame.
  void check_cell_shape() const {
    std::vector<std::int64_t> one = cell_shape_;
    if (one.size() == 3 || (one.size() == 2 && one[1] == 3 && one[0] == frames_ && one[0] != 3)) one.erase(one.begin());
    const bool fits = one == std::vector<std::int64_t>{3} || one == std::vector<std::int64_t>{3, 3};
    if (!fits || (one.size() != cell_shape_.size() && cell_shape_[0] != frames_)) {
      fail(fmt::format("`{}` is not of the shape [3], [3, 3], [n, 3] or [n, 3, 3] for n = {} configurations", places_.cell, frames_));
    }
  }

  Matrix3 cell() const {
    const bool moves = cell_shape_.size() == 3 || (cell_shape_.size() == 2 && cell_shape_[0] == frames_ && frames_ != 3);
    const std::vector<double> h = moves ? file_.rows(places_.cell, index_, 1) : file_.read(places_.cell).doubles;
    if (h.size() == 3) return {{{h[0], 0, 0}, {0, h[1], 0}, {0, 0, h[2]}}};
    if (h.size() != 9) fail(fmt::format("`{}` holds no numbers with a point", places_.cell));
    return {{{h[0], h[1], h[2]}, {h[3], h[4], h[5]}, {h[6], h[7], h[8]}}};
  }

  bool has_column(const std::string& name) const {
    return file_.has(name) && file_.shape(name) == std::vector<std::int64_t>{frames_};
  }
  double number(const std::string& name) const { return file_.rows(name, index_, 1).front(); }

  /// Independent samples stand at one time.
  bool is_trajectory() const {
    const std::vector<double> times = file_.rows(places_.time, 0, frames_);
    return !times.empty() && *std::max_element(times.begin(), times.end()) > *std::min_element(times.begin(), times.end());
  }

  /// In fs.
  double time_unit() const {
    const std::string unit = file_.text_attribute(places_.time, "unit");
    if (unit.empty() || unit == "fs") return 1.0;
    if (unit == "ps") return 1e3;
    if (unit == "ns") return 1e6;
    fail(fmt::format("`{}` is in '{}'; bgw knows fs, ps and ns", places_.time, unit));
  }

  std::string name_;
  store::Hdf5Reader file_;
  Places places_;
  std::int64_t frames_ = 0, atoms_ = 0, index_ = 0;
  std::vector<std::int64_t> cell_shape_;
  std::vector<std::string> species_;
  bool has_time_ = false;
  double time_unit_ = 1.0;
};

}  // namespace

std::unique_ptr<FrameReader> open_hdf5_frames(const std::filesystem::path& file) { return std::make_unique<Hdf5FrameReader>(file); }

}  // namespace bgw::trajectory
