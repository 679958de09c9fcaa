#include "runtime/trajectory/h5md_writer.h"

#include <map>
#include <string>
#include <vector>

namespace bgw::trajectory {
namespace {

constexpr const char* kPosition = "particles/all/position";
constexpr const char* kEdges = "particles/all/box/edges";
constexpr std::int64_t kHeldBytes = 4 << 20;

}  // namespace

H5mdWriter::H5mdWriter(const std::filesystem::path& file, const Heading& heading, const Content& content)
    : file_(file), content_(content) {
  begin(heading);
}

void H5mdWriter::begin(const Heading& heading) {
  const auto unit = [&](const char* name) { return std::string(heading.reduced ? "" : name); };
  file_.add_group("h5md");
  file_.add_attribute("h5md", "version", std::vector<std::int64_t>{1, 1});
  file_.add_group("h5md/author");
  file_.add_attribute("h5md/author", "name", std::string("bgw"));
  file_.add_group("h5md/creator");
  file_.add_attribute("h5md/creator", "name", std::string("bgw"));
  file_.add_attribute("h5md/creator", "version", std::string(BGW_VERSION));

  file_.begin_rows(std::string(kPosition) + "/step", {}, true, "");
  file_.begin_rows(std::string(kPosition) + "/time", {}, false, unit("fs"));
  file_.begin_rows(std::string(kPosition) + "/value", {content_.atoms, 3}, false, unit("Angstrom"));
  begin_element(kEdges, {3, 3}, false, unit("Angstrom"));
  file_.add_attribute("particles/all/box", "dimension", std::vector<std::int64_t>{3});
  file_.add_attribute("particles/all/box", "boundary", std::vector<std::string>{"periodic", "periodic", "periodic"});
  file_.add_enumeration("particles/all/species", {{heading.species, 1}},
                        std::vector<std::int64_t>(static_cast<std::size_t>(content_.atoms), 1));
  if (content_.energy) begin_element("observables/potential_energy", {}, false, unit("eV"));
  if (content_.weights) begin_element("observables/log_weight", {}, false, "");
  if (content_.weights) begin_element("observables/weight", {}, false, "");
  if (content_.chain) begin_element("observables/chain", {}, true, "");
}

void H5mdWriter::begin_element(const std::string& group, const std::vector<std::int64_t>& row, bool integers, const std::string& unit) {
  file_.begin_rows(group + "/value", row, integers, unit);
  for (const char* name : {"/step", "/time"}) file_.add_link(std::string(kPosition) + name, group + name);
}

void H5mdWriter::write(const Frame& frame) {
  step_.push_back(frame.step);
  time_.push_back(frame.time.value_or(0.0));
  for (const crystal::Vector3& position : frame.positions) position_.insert(position_.end(), position.begin(), position.end());
  for (const crystal::Vector3& edge : frame.cell) edges_.insert(edges_.end(), edge.begin(), edge.end());
  if (content_.energy) energy_.push_back(frame.energy.value());
  if (content_.weights) {
    log_weight_.push_back(frame.log_weight.value());
    weight_.push_back(frame.weight.value());
  }
  if (content_.chain) chain_.push_back(frame.chain.value());
  if (++held_ * 24 * content_.atoms >= kHeldBytes) flush();
}

void H5mdWriter::flush() {
  file_.append(std::string(kPosition) + "/step", step_);
  file_.append(std::string(kPosition) + "/time", time_);
  file_.append(std::string(kPosition) + "/value", position_);
  file_.append(std::string(kEdges) + "/value", edges_);
  if (content_.energy) file_.append("observables/potential_energy/value", energy_);
  if (content_.weights) file_.append("observables/log_weight/value", log_weight_);
  if (content_.weights) file_.append("observables/weight/value", weight_);
  if (content_.chain) file_.append("observables/chain/value", chain_);
  for (std::vector<double>* each : {&time_, &position_, &edges_, &energy_, &log_weight_, &weight_}) each->clear();
  for (std::vector<std::int64_t>* each : {&step_, &chain_}) each->clear();
  held_ = 0;
}

void H5mdWriter::finish() {
  flush();
  file_.close();
}

}  // namespace bgw::trajectory
