#include <fmt/format.h>

#include <filesystem>

#include "compiler/source/read_source.h"
#include "runtime/cli/commands.h"
#include "runtime/report/page.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace {

std::string program_text(const std::string& path) {
  source::ReadFailure failure;
  const std::optional<source::SourceFile> text = source::read_source(path, failure);
  return text ? std::string(text->text()) : "";
}

std::filesystem::path page_path(const ReportOptions& options) {
  if (!options.output.empty()) return options.output;
  return std::filesystem::path(options.program).stem().string() + ".html";
}

// The command as one would type it, with the same parameters and cache.
std::string run_command(const ReportOptions& options, const std::string& name) {
  std::string text = "bgw run " + options.program;
  if (!name.empty()) text += " '" + name + "'";
  for (const std::string& parameter : options.parameters) text += " -p " + parameter;
  if (!options.cache.empty()) text += " --cache " + options.cache;
  return text;
}

std::string names_of(const std::vector<std::string>& targets) { return targets.size() == 1 ? targets.front() : ""; }

}  // namespace

int report(const ReportOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const Wanted wanted = find_wanted(loaded.program, options.targets);
  const plan::Plan& plan = loaded.program.plan;
  store::Cache cache = store::Cache::look(cache_directory(options));
  const auto command_for = [&](const std::string& name) {
    return run_command(options, name.empty() ? names_of(options.targets) : name);
  };
  const report::PageRequest request{plan, with_inputs(plan, wanted.tasks), wanted.checks, program_text(options.program),
                                    command_for};
  const std::string page = report::make_page(request, cache);
  const std::filesystem::path path = page_path(options);
  store::replace_durably(std::filesystem::absolute(path), page);
  if (options.json)
    fmt::print("{}\n", schema::to_json(
                           schema::Map{{"page", path.string()}, {"bytes", static_cast<std::int64_t>(page.size())}}));
  else
    fmt::print("{}\n", path.string());
  return 0;
}

}  // namespace bgw::cli
