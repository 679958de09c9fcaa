#include <fmt/format.h>

#include <map>

#include "compiler/source/diagnostic.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/upkeep_commands.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/cache.h"
#include "runtime/store/index.h"
#include "runtime/store/use_lock.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;

// A label of its own for each program and selection: "ice.default", "ice.F[64], rdf".
std::string usual_label(const ProgramOptions& options, const Wanted& wanted) {
  return std::filesystem::path(options.program).stem().string() + "." + wanted.title;
}

// A cache of which nothing was made holds nothing to pin.
store::Cache existing_cache(const ProgramOptions& options) {
  store::Cache cache = store::Cache::look(cache_directory(options));
  if (!cache.has_records()) throw CommandFailure(kTaskFailed, fmt::format("there are no results in {} yet; `bgw run` makes them", cache.root().string()));
  return cache;
}

std::vector<std::string> labels_of(const std::vector<store::Pin>& pins) {
  std::vector<std::string> labels;
  for (const store::Pin& pin : pins) labels.push_back(pin.label);
  return labels;
}

}  // namespace

int pin(const PinOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const plan::Plan& plan = loaded.program.plan;
  const Wanted wanted = find_wanted(loaded.program, options.names);
  store::Cache cache = existing_cache(options);
  const store::UseLock gc_waits = store::UseLock::shared(cache.layout());  // what is told to be there is not on its way out
  std::vector<plan::Key> keys;
  std::int64_t missing = 0;
  for (const std::size_t task : with_inputs(plan, wanted.tasks)) {
    keys.push_back(plan.tasks[task].key);
    if (!cache.has_result(plan.tasks[task])) ++missing;
  }
  if (keys.empty()) throw CommandFailure(kTaskFailed, fmt::format("target {} has no results to pin", wanted.title));
  const std::string label = options.label.empty() ? usual_label(options, wanted) : options.label;
  store::Index(cache.layout().database()).pin(label, keys);
  const auto results = static_cast<std::int64_t>(keys.size());
  if (options.json) {
    put_document(Map{{"label", label}, {"results", results}, {"missing", missing}});
  } else {
    fmt::print("pinned `{}`: {} results, inputs included{}\n", label, results,
               missing == 0 ? "" : fmt::format("; {} of them are not made yet", missing));
  }
  return kDone;
}

int unpin(const PinOptions& options) {
  const store::Cache cache = existing_cache(options);
  store::Index index(cache.layout().database());
  if (!index.unpin(options.label)) {
    const std::string meant = source::nearest(options.label, labels_of(index.pins()));
    throw CommandFailure(kWrongProgram, fmt::format("there is no pin `{}`{}", options.label,
                                                    meant.empty() ? "; `bgw pins` lists them" : fmt::format(", did you mean `{}`?", meant)));
  }
  if (options.json) {
    put_document(Map{{"label", options.label}});
  } else {
    fmt::print("`{}` protects nothing any more; `bgw gc` may remove what it did\n", options.label);
  }
  return kDone;
}

int pins(const ProgramOptions& options) {
  const store::Cache cache = store::Cache::look(cache_directory(options));
  std::vector<store::Pin> pins;
  std::map<plan::Key, std::uint64_t> bytes;
  if (cache.has_records()) {
    store::Index index(cache.layout().database());
    pins = index.pins();
    for (const store::KnownResult& result : index.results()) bytes[result.key] = result.bytes;
  }
  report::TextTable table{{{"label"}, {"since"}, {"results", true}, {"missing", true}, {"size", true}}, {}};
  List list;
  for (const store::Pin& pin : pins) {
    std::uint64_t size = 0;
    std::int64_t missing = 0;
    for (const plan::Key& key : pin.keys) {
      const auto found = bytes.find(key);
      if (found == bytes.end()) {
        ++missing;
      } else {
        size += found->second;
      }
    }
    const auto results = static_cast<std::int64_t>(pin.keys.size());
    table.rows.push_back({pin.label, report::format_time(pin.since), std::to_string(results), std::to_string(missing), report::format_bytes(size)});
    list.push_back(Map{{"label", pin.label}, {"since_us", pin.since}, {"results", results}, {"missing", missing},
                       {"bytes", static_cast<std::int64_t>(size)}});
  }
  if (options.json) {
    put_document(list);
  } else if (pins.empty()) {
    fmt::print("nothing is pinned; `bgw pin PROGRAM NAME` keeps a result and what it was made from\n");
  } else {
    fmt::print("{}", report::render(table));
  }
  return kDone;
}

}  // namespace bgw::cli
