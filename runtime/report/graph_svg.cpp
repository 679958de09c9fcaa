#include "runtime/report/graph_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/report/page.h"

namespace bgw::report {
namespace {

constexpr std::size_t kLongestName = 19;  // characters that fit into a box
constexpr int kBoxWidth = 160, kBoxHeight = 44, kGapX = 50, kGapY = 16, kMargin = 4;

struct Family {
  std::string name, kind;
  std::size_t members = 0, missing = 0, layer = 0, row = 0;
  std::set<std::string> reads;
  int left() const { return kMargin + static_cast<int>(layer) * (kBoxWidth + kGapX); }
  int top() const { return kMargin + static_cast<int>(row) * (kBoxHeight + kGapY); }
};

std::string family_of(const plan::TaskSpec& spec) {
  const std::string block = spec.presentation.is_map() ? spec.presentation.string_or("block", "") : "";
  return spec.kind + " " + (block.empty() ? spec.name.substr(0, spec.name.find('[')) : block);
}

std::map<std::string, Family> families_of(const plan::Plan& plan, const std::vector<std::size_t>& tasks,
                                          const std::vector<bool>& missing) {
  std::map<std::string, Family> families;
  for (const std::size_t task : tasks) {  // inputs come before what reads them
    const plan::TaskSpec& spec = plan.tasks[task];
    const std::string id = family_of(spec);
    Family& family = families[id];
    family.kind = spec.kind;
    family.name = id.substr(spec.kind.size() + 1);
    family.members += 1;
    family.missing += missing.at(task) ? 1 : 0;
    for (const plan::TaskInput& input : spec.inputs) {
      const std::string upstream = family_of(plan.tasks[input.task]);
      if (upstream == id) continue;
      family.reads.insert(upstream);
      family.layer = std::max(family.layer, families[upstream].layer + 1);
    }
  }
  return families;
}

void place(std::map<std::string, Family>& families) {
  std::map<std::size_t, std::size_t> rows;
  for (auto& [id, family] : families) family.row = rows[family.layer]++;
}

std::string edge(const Family& from, const Family& to) {
  const int x1 = from.left() + kBoxWidth, y1 = from.top() + kBoxHeight / 2, x2 = to.left(),
            y2 = to.top() + kBoxHeight / 2;
  return fmt::format(
      "<path d=\"M{} {} C{} {} {} {} {} {}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.45\"/>", x1, y1,
      x1 + kGapX / 2, y1, x2 - kGapX / 2, y2, x2, y2);
}

// The beginning of a long name; the whole of it shows when one points at the box.
std::string shortened(const std::string& name) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool begins_character = (static_cast<unsigned char>(name[i]) & 0xC0) != 0x80;
    if (begins_character && ++characters > kLongestName) return name.substr(0, i) + "…";
  }
  return name;
}

std::string box(const Family& family) {
  const char* dash = family.missing > 0 ? " stroke-dasharray=\"4 3\"" : "";
  const std::string count = family.members > 1 ? fmt::format(" ×{}", family.members) : "";
  return fmt::format(
      "<g><title>{11}</title><rect x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" rx=\"6\" fill=\"var(--panel, "
      "#f6f8fa)\" "
      "stroke=\"currentColor\" "
      "stroke-opacity=\"0.6\"{4}/><text x=\"{5}\" y=\"{6}\" font-weight=\"600\">{7}{8}</text><text x=\"{5}\" y=\"{9}\" "
      "font-size=\"11\" "
      "fill-opacity=\"0.7\">{10}</text></g>",
      family.left(), family.top(), kBoxWidth, kBoxHeight, dash, family.left() + 10, family.top() + 19,
      escape_html(shortened(family.name)), count, family.top() + 34, escape_html(family.kind),
      escape_html(family.name));
}

}  // namespace

std::string draw_graph(const plan::Plan& plan, const std::vector<std::size_t>& tasks,
                       const std::vector<bool>& missing) {
  std::map<std::string, Family> families = families_of(plan, tasks, missing);
  place(families);
  int width = 0, height = 0;
  std::string edges, boxes;
  for (const auto& [id, family] : families) {
    width = std::max(width, family.left() + kBoxWidth + kMargin);
    height = std::max(height, family.top() + kBoxHeight + kMargin);
    for (const std::string& upstream : family.reads) edges += edge(families.at(upstream), family);
    boxes += box(family);
  }
  return fmt::format(
      "<svg width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" font-family=\"system-ui, sans-serif\" "
      "font-size=\"13\" fill=\"currentColor\">{2}{3}</svg>",
      width, height, edges, boxes);
}

}  // namespace bgw::report
