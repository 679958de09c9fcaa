#include <fmt/format.h>

#include <filesystem>

#include "compiler/source/read_source.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/output_file.h"
#include "runtime/report/page.h"

namespace bgw::cli {
namespace {

std::string program_text(const std::string& path) {
  source::ReadFailure failure;
  return source::read_source(path, failure).value_or("");
}

std::filesystem::path page_path(const ReportOptions& options) {
  if (!options.output.empty()) return options.output;
  return std::filesystem::path(options.program).stem().string() + ".html";
}

}  // namespace

int report(const ReportOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const Wanted wanted = find_wanted(loaded.program, options.targets);
  const plan::Plan& plan = loaded.program.plan;
  store::Cache cache = store::Cache::look(cache_directory(options));
  const auto command_for = [&](const std::string& name) {
    return run_command(options, name.empty() ? options.targets : std::vector<std::string>{name});
  };
  const report::PageRequest request{plan, with_inputs(plan, wanted.tasks), wanted.checks, program_text(options.program),
                                    command_for};
  const std::string page = report::make_page(request, cache);
  const std::filesystem::path path = page_path(options);
  write_output(path, page, plan);
  if (options.json)
    put_document( schema::Map{{"page", path.string()}, {"bytes", static_cast<std::int64_t>(page.size())}});
  else
    fmt::print("{}\n", path.string());
  return kDone;
}

}  // namespace bgw::cli
