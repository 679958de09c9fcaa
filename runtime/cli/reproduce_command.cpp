// Computes results a second time, in an empty cache, and holds them against those that are there. On one machine they are
// the same bytes; on another device, or with another build of a library, they have to agree within their errors.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <set>

#include "runtime/cli/commands.h"
#include "runtime/cli/comparison.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/lock_file.h"
#include "runtime/cli/progress_display.h"
#include "runtime/cli/run_session.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/executor.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace {

namespace fs = std::filesystem;
using schema::Map;
using Verdict = ComparedNumber::Verdict;

void refuse_missing(const plan::Plan& plan, const Wanted& wanted, const ReproduceOptions& options, store::Cache& cache) {
  std::vector<std::string> missing;
  for (const std::size_t task : wanted.tasks) {
    if (!cache.has_result(plan.tasks[task])) missing.push_back(plan.tasks[task].name);
  }
  if (missing.empty()) return;
  constexpr std::size_t kNamed = 3;
  const auto end = missing.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, missing.size()));
  throw CommandFailure(kTaskFailed, fmt::format("there is nothing to compare with: {}{} {} no result yet; `{}` makes {}",
                                                fmt::join(missing.begin(), end, ", "), missing.size() > kNamed ? " and more" : "",
                                                missing.size() == 1 ? "has" : "have", run_command(options, options.targets),
                                                missing.size() == 1 ? "it" : "them"));
}

// The folder in which everything is computed again. A mark in it tells that the work there is not finished: it can be
// gone on with. One that is made here is removed in the end.
class FreshFolder {
 public:
  FreshFolder(const std::string& named, const fs::path& cache) : own_(named.empty()), path_(named) {
    if (own_) {
      std::string made = (cache.parent_path() / ".bgw-again-XXXXXX").string();
      store::make_directories(fs::absolute(cache).parent_path());
      if (::mkdtemp(made.data()) == nullptr) store::throw_system_error(errno, "make", made);
      path_ = made;
    }
    std::error_code error;
    if (fs::exists(path_, error) && !fs::is_empty(path_, error) && !fs::exists(mark(), error))
      throw CommandFailure(kWrongUse, fmt::format("{} is not empty: name a folder that is new, with --fresh=FOLDER", path_.string()));
    store::make_directories(fs::absolute(path_));
    store::replace_durably(fs::absolute(mark()), "");
  }
  const fs::path& path() const { return path_; }
  void finished() {
    std::error_code ignored;
    fs::remove(mark(), ignored);
  }
  void remove() {
    std::error_code ignored;
    if (own_) fs::remove_all(path_, ignored);
  }
  bool is_own() const { return own_; }

 private:
  fs::path mark() const { return path_ / "reproduce.unfinished"; }
  bool own_;
  fs::path path_;
};

// "cpu, bgw 0.4.1" of the heavy tasks, with `full` where as well.
std::string makers(const plan::Plan& plan, const std::vector<std::size_t>& tasks, const store::Cache& cache, bool full) {
  std::set<std::string> makers;
  for (const std::size_t task : tasks) {
    if (plan.tasks[task].placement != plan::Placement::child) continue;
    const std::optional<store::Manifest> manifest = cache.manifest(plan.tasks[task].key);
    if (!manifest) continue;
    const store::Provenance& made = manifest->provenance;
    std::string text = fmt::format("{}, bgw {}", made.device, made.bgw_version);
    for (const auto& [name, version] : made.libraries)
      text += fmt::format(", {} {}", name, version.is_string() ? version.as_string() : schema::to_json(version));
    if (full) text += fmt::format(", cpus: {}, host {}", made.cpus, made.host);
    makers.insert(std::move(text));
  }
  std::string text = makers.empty() ? "in-process" : fmt::format("{}", fmt::join(makers, "; "));
  return full ? text + ", in " + cache.root().string() : text;
}

struct Comparison {
  std::vector<ComparedNumber> numbers;
  std::string cached_by, again_by;
  std::size_t count(Verdict verdict) const {
    return static_cast<std::size_t>(
        std::count_if(numbers.begin(), numbers.end(), [&](const ComparedNumber& number) { return number.verdict == verdict; }));
  }
  int exit_code() const { return count(Verdict::outside) + count(Verdict::missing) > 0 ? kCheckFailed : kDone; }
};

Comparison compare(const plan::Plan& plan, const Selection& selection, store::Cache& cached, store::Cache& again,
                   const ReproduceOptions& options) {
  Comparison comparison;
  const std::vector<std::size_t> tasks = with_inputs(plan, selection.wanted.tasks);
  for (const std::size_t task : tasks) {
    for (ComparedNumber& number : compare_results(plan.tasks[task], cached, again, options.sigmas))
      comparison.numbers.push_back(std::move(number));
  }
  comparison.cached_by = makers(plan, tasks, cached, options.full);
  comparison.again_by = makers(plan, tasks, again, options.full);
  return comparison;
}

std::string number_text(const std::optional<double>& value, const std::optional<double>& sigma) {
  return value ? report::format_result(*value, sigma) : "";
}

std::string verdict_text(const ComparedNumber& number) {
  const std::string word = to_word(number.verdict);
  switch (number.verdict) {
    case Verdict::outside: return painted(word, Colour::red, stdout);
    case Verdict::missing: return painted(word, Colour::red, stdout) + " (a require does not hold this time)";
    case Verdict::unjudged: return word + " (no error bar to judge it by)";
    default: return painted(word, Colour::green, stdout);
  }
}

std::string table_of(const std::vector<ComparedNumber>& numbers) {
  report::TextTable table{{{"result"}, {"cached", true}, {"again", true}, {"difference", true}, {"sigmas", true}, {"verdict"}}, {}};
  for (const ComparedNumber& number : numbers) {
    std::optional<double> error;
    if (number.distance && *number.distance > 0) error = std::abs(*number.difference) / *number.distance;
    table.rows.push_back({number.unit.empty() ? number.name : fmt::format("{} / {}", number.name, number.unit),
                          number_text(number.value, number.sigma), number_text(number.again, number.again_sigma),
                          number.verdict == Verdict::same ? "" : number_text(number.difference, error),
                          number.distance ? fmt::format("{:.2g}", *number.distance) : "", verdict_text(number)});
  }
  return report::render(table);
}

// "16 numbers: 7 with the same bits, 9 outside"
std::string summary(const Comparison& comparison, double sigmas) {
  std::vector<std::string> parts;
  for (const auto& [verdict, words] : {std::pair<Verdict, std::string>{Verdict::same, "with the same bits"},
                                       {Verdict::within, fmt::format("within {:g} sigma", sigmas)},
                                       {Verdict::unjudged, "different without an error bar"},
                                       {Verdict::outside, "outside"},
                                       {Verdict::missing, "missing"}}) {
    if (comparison.count(verdict) > 0) parts.push_back(fmt::format("{} {}", comparison.count(verdict), words));
  }
  return fmt::format("{} {}: {}\n", comparison.numbers.size(), comparison.numbers.size() == 1 ? "number" : "numbers", fmt::join(parts, ", "));
}

void print(const Comparison& comparison, const plan::Plan& plan, const ReproduceOptions& options, const std::string& kept) {
  if (options.json) {
    schema::List numbers;
    for (const ComparedNumber& number : comparison.numbers) numbers.push_back(to_value(number));
    Map map{{"program", plan.program},
            {"results", std::move(numbers)},
            {"allowed_sigmas", options.sigmas},
            {"cached_by", comparison.cached_by},
            {"again_by", comparison.again_by},
            {"same", static_cast<std::int64_t>(comparison.count(Verdict::same))},
            {"within", static_cast<std::int64_t>(comparison.count(Verdict::within))},
            {"differ", static_cast<std::int64_t>(comparison.count(Verdict::unjudged))},
            {"outside", static_cast<std::int64_t>(comparison.count(Verdict::outside))},
            {"missing", static_cast<std::int64_t>(comparison.count(Verdict::missing))},
            {"exit_code", comparison.exit_code()}};
    if (!kept.empty()) map["kept"] = kept;
    put_document(map);
    return;
  }
  fmt::print("{}cached: {}\nagain:  {}\n{}", table_of(comparison.numbers), comparison.cached_by, comparison.again_by,
             summary(comparison, options.sigmas));
  if (!kept.empty()) fmt::print("what was computed again stays in {}\n", kept);
}

int run_in(FreshFolder& folder, const plan::Plan& plan, const Selection& selection, const ReproduceOptions& options, store::Cache& fresh) {
  const engine::RunOptions engine_run = engine_options(options, plan, selection);
  const auto display = choose_display(options.quiet || options.json, false, stderr);
  try {
    return engine::run(plan, selection.wanted.tasks, fresh, engine_run, *display).exit_code;
  } catch (...) {
    folder.remove();  // nobody would hear of it
    throw;
  }
}

}  // namespace

int reproduce(const ReproduceOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const plan::Plan& plan = loaded.program.plan;
  if (options.locked) refuse_drift(loaded.program, options);
  const Selection selection = select(loaded.program, options);
  refuse_not_yet_run(plan, selection);
  store::Cache cached = store::Cache::look(cache_directory(options));
  refuse_missing(plan, selection.wanted, options, cached);
  FreshFolder folder(options.fresh, cache_directory(options));
  Comparison comparison;
  {
    store::Cache fresh = store::Cache::open(folder.path());
    if (const int code = run_in(folder, plan, selection, options, fresh); code != kDone && code != kCheckFailed)
      throw CommandFailure(code, fmt::format("what was computed stays in {}; the same command with --fresh={} goes on", folder.path().string(),
                                             folder.path().string()));
    comparison = compare(plan, selection, cached, fresh, options);
    folder.finished();
  }
  const bool removes = folder.is_own() && !options.keep && comparison.exit_code() == kDone;
  if (removes) folder.remove();
  print(comparison, plan, options, removes ? "" : folder.path().string());
  return comparison.exit_code();
}

}  // namespace bgw::cli
