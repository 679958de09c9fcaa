#include "runtime/flows/edge_pairs.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bgw::flows {
namespace {

constexpr double kSameVector = 1e-9;  // angstrom; offsets that differ by rounding are the same, images are far apart
constexpr std::int64_t kNone = -1;

/// Finds the way back of each edge among those of the same two atoms that have none yet.
class Matching {
 public:
  Matching(std::int64_t particles, std::int64_t degree, const std::int64_t* senders, const double* offsets)
      : degree_(degree),
        senders_(senders),
        offsets_(offsets),
        open_(static_cast<std::size_t>(particles), kNone),
        edges_(static_cast<std::size_t>(particles * degree), kNone),
        partner_(edges_.size(), kNone) {
    sort_by_lower_atom(particles);
  }

  EdgePairs pairs() {
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      for (std::size_t e = begin; e < end; ++e) match(edges_[e]);
      for (std::size_t e = begin; e < end; ++e) open_[upper(edges_[e])] = kNone;
      begin = end;
    }
    EdgePairs found;
    for (const std::int64_t e : edges_) {
      if (partner_[static_cast<std::size_t>(e)] > e) append(found, e);
    }
    found.both = static_cast<std::int64_t>(found.first.size());
    for (const std::int64_t e : edges_) {
      if (partner_[static_cast<std::size_t>(e)] == kNone) append(found, e);
    }
    return found;
  }

 private:
  std::int64_t receiver(std::int64_t e) const { return e / degree_; }
  std::int64_t lower(std::int64_t e) const { return std::min(receiver(e), senders_[e]); }
  std::size_t upper(std::int64_t e) const { return static_cast<std::size_t>(std::max(receiver(e), senders_[e])); }

  void sort_by_lower_atom(std::int64_t particles) {
    ends_.assign(static_cast<std::size_t>(particles), 0);
    const auto count = static_cast<std::int64_t>(edges_.size());
    for (std::int64_t e = 0; e < count; ++e) ++ends_[static_cast<std::size_t>(lower(e))];
    std::size_t begin = 0;
    for (std::size_t& end : ends_) begin += std::exchange(end, begin);
    for (std::int64_t e = 0; e < count; ++e) edges_[ends_[static_cast<std::size_t>(lower(e))]++] = e;
    next_.assign(edges_.size(), kNone);
  }

  bool is_way_back(std::int64_t e, std::int64_t other) const {
    if (receiver(e) != senders_[other] || receiver(other) != senders_[e]) return false;
    for (std::int64_t d = 0; d < 3; ++d) {
      if (std::abs(offsets_[3 * e + d] + offsets_[3 * other + d]) > kSameVector) return false;
    }
    return true;
  }

  void match(std::int64_t e) {
    std::int64_t* link = &open_[upper(e)];
    while (*link != kNone && !is_way_back(e, *link)) link = &next_[static_cast<std::size_t>(*link)];
    if (*link == kNone) {
      *link = e;
      return;
    }
    const std::int64_t other = *link;
    *link = next_[static_cast<std::size_t>(other)];
    partner_[static_cast<std::size_t>(e)] = other;
    partner_[static_cast<std::size_t>(other)] = e;
  }

  void append(EdgePairs& found, std::int64_t e) const {
    found.first.push_back(static_cast<std::int32_t>(receiver(e)));
    found.second.push_back(static_cast<std::int32_t>(senders_[e]));
    found.offset.insert(found.offset.end(), offsets_ + 3 * e, offsets_ + 3 * e + 3);
  }

  std::int64_t degree_;
  const std::int64_t* senders_;
  const double* offsets_;
  std::vector<std::size_t> ends_;    // of the edges of each lower atom
  std::vector<std::int64_t> open_;   // by upper atom: the first edge without a way back
  std::vector<std::int64_t> edges_;  // by lower atom
  std::vector<std::int64_t> partner_, next_;
};

}  // namespace

EdgePairs pair_edges(std::int64_t particles, std::int64_t degree, const std::int64_t* senders, const double* offsets) {
  return Matching(particles, degree, senders, offsets).pairs();
}

}  // namespace bgw::flows
