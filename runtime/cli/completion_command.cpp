#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <set>

#include "compiler/lowering/compile.h"
#include "compiler/source/read_source.h"
#include "compiler/syntax/parse.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/completion.h"
#include "runtime/cli/failure.h"

// The scripts are thin: they hand the words of the line to the hidden command `bgw complete` and show what it prints,
// so that all shells know the same and new commands are known at once. A program with mistakes completes by what can be
// read of it; nothing is ever told on stderr, which would tear the line that is being typed.
namespace bgw::cli {
namespace {

constexpr const char* kBash = R"sh(# bash completion of bgw: source <(bgw completion bash)
_bgw() {
  local line name word="${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files*)
        while IFS= read -r name; do
          if [[ -d "$name" ]]; then COMPREPLY+=("$name/"); compopt -o nospace
          elif [[ "${line#:files }" == "*" || "$name" == *"${line#:files }" ]]; then COMPREPLY+=("$name"); fi
        done < <(compgen -f -- "$word") ;;
      *=) COMPREPLY+=("$line"); compopt -o nospace ;;
      *) case "$word" in
           [\'\"]*) COMPREPLY+=("$line") ;;
           *) COMPREPLY+=("$(printf '%q' "$line")") ;;
         esac ;;
    esac
  done < <("${COMP_WORDS[0]}" complete --line "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _bgw bgw
)sh";

constexpr const char* kZsh = R"sh(#compdef bgw
# zsh completion of bgw: source <(bgw completion zsh), or keep it as _bgw in a folder of $fpath
_bgw() {
  local line ending
  local -a names open
  for line in "${(@f)$("${words[1]}" complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      '') ;;
      :files*) ending="${line#:files }" ;;
      *=) open+=("$line") ;;
      *) names+=("$line") ;;
    esac
  done
  (( ${#names} )) && compadd -a names
  (( ${#open} )) && compadd -S '' -a open
  if [[ -n "$ending" ]]; then
    if [[ "$ending" == '*' ]]; then _files; else _files -g "*$ending"; fi
  fi
}
if [[ "$funcstack[1]" = _bgw ]]; then _bgw "$@"; else compdef _bgw bgw; fi
)sh";

constexpr const char* kFish = R"sh(# fish completion of bgw: bgw completion fish | source
function __bgw_complete
    set -l tokens (commandline -opc) (commandline -ct)
    for line in ($tokens[1] complete -- $tokens[2..-1] 2>/dev/null)
        if string match -q ':files *' -- $line
            set -l ending (string replace ':files ' '' -- $line)
            test "$ending" = '*'; and set ending ''
            __fish_complete_suffix (commandline -ct) $ending
        else
            echo $line
        end
    end
end
complete -c bgw -f -a '(__bgw_complete)'
)sh";

// What the words before the last have said.
struct Line {
  const CLI::App* command = nullptr;
  std::vector<std::string> positionals;
  const CLI::Option* awaited = nullptr;  // the option whose value comes next
};

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::vector<const CLI::App*> below(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_below(const CLI::App& command, const std::string& word) {
  for (const CLI::App* each : below(command)) {
    if (each->check_name(word)) return each;
  }
  return nullptr;
}

Line read_line(const CLI::App& app, const std::vector<std::string>& words) {
  Line line{&app, {}, nullptr};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (line.awaited) {
      line.awaited = nullptr;
    } else if (word.size() > 1 && word[0] == '-') {
      const CLI::Option* option = line.command->get_option_no_throw(word.substr(0, word.find('=')));
      if (option && takes_value(*option) && word.find('=') == std::string::npos) line.awaited = option;
    } else if (!below(*line.command).empty()) {
      line.command = find_below(*line.command, word);
      if (!line.command) return line;
    } else {
      line.positionals.push_back(word);
    }
  }
  return line;
}

const CLI::Option* positional(const CLI::App& command, std::size_t index) {
  const CLI::Option* last = nullptr;
  std::size_t at = 0;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    last = option;
    if (at++ == index) return option;
  }
  return last && last->get_items_expected_max() > 1 ? last : nullptr;
}

std::vector<std::string> param_candidates(const std::string& program) {
  source::ReadFailure failure;
  std::vector<std::string> names;
  const std::optional<std::string> text = source::read_source(program, failure);
  if (!text) return names;
  source::DiagnosticSink unheard;
  const std::optional<syntax::File> file = syntax::parse(source::SourceFile(program, *text), unheard);
  if (!file) return names;
  for (const syntax::Item& item : file->items) {
    if (const auto* param = std::get_if<syntax::Param>(&item.what)) names.push_back(param->name.text + "=");
  }
  return names;
}

std::optional<lowering::Program> compiled(const std::string& program) {
  source::ReadFailure failure;
  const std::optional<std::string> text = source::read_source(program, failure);
  if (!text) return std::nullopt;
  source::SourceMap sources(program, *text);
  source::DiagnosticSink unheard;
  return lowering::compile(sources, catalog::builtin_catalog(), {}, unheard);
}

// Families and members of which `wanted` is true.
template <class Wanted>
std::vector<std::string> instance_names(const lowering::Program& program, Wanted wanted) {
  std::set<std::string> names;
  for (const lowering::NamedInstance& instance : program.instances) {
    if (wanted(instance)) names.insert({instance.name, instance.block});
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> target_candidates(const std::string& path) {
  const std::optional<lowering::Program> program = compiled(path);
  if (!program) return {};
  const std::vector<std::string> made =
      instance_names(*program, [](const lowering::NamedInstance& instance) { return instance.task || instance.check; });
  std::set<std::string> names(made.begin(), made.end());
  for (const auto& [name, tasks] : program->plan.targets) names.insert(name);
  return {names.begin(), names.end()};
}

std::vector<std::string> name_candidates(const std::string& path) {
  const std::optional<lowering::Program> program = compiled(path);
  return program ? instance_names(*program, [](const lowering::NamedInstance&) { return true; })
                 : std::vector<std::string>{};
}

std::vector<std::string> system_candidates(const std::string& path) {
  const std::optional<lowering::Program> program = compiled(path);
  if (!program) return {};
  return instance_names(*program, [](const lowering::NamedInstance& instance) { return instance.noun == "system"; });
}

std::vector<std::string> topics() {
  const schema::Catalog catalog = catalog::builtin_catalog();
  std::vector<std::string> names = catalog.nouns();
  for (const auto& more : {catalog.constructor_names(), catalog.function_names(), {"all", "units", "functions"}}) {
    names.insert(names.end(), more.begin(), more.end());
  }
  return names;
}

std::vector<std::string> diagnostic_ids() {
  return {
#define BGW_DIAGNOSTIC(id, title) #id,
#include "compiler/source/diagnostic_ids.def"
#undef BGW_DIAGNOSTIC
  };
}

// By the name of the place: the same names mean the same in all commands.
Candidates candidates_for(const std::string& place, const std::string& program) {
  if (place == "PROGRAM") return {{}, ".bgw"};
  if (place == "TARGET") return {target_candidates(program), ""};
  if (place == "NAME" || place == "PATTERN") return {name_candidates(program), ""};
  if (place == "SYSTEM") return {system_candidates(program), ""};
  if (place == "TOPIC") return {topics(), ""};
  if (place == "ID") return {diagnostic_ids(), ""};
  if (place == "COMMAND") return {schema_names(), ""};
  if (place == "SHELL") return {{"bash", "zsh", "fish"}, ""};
  if (place == "--param") return {param_candidates(program), ""};
  if (place == "--params") return {{}, ".toml"};
  return {{}, "*"};
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    if (option->get_lnames().empty()) {
      for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    }
  }
  return names;
}

std::vector<std::string> subcommands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* each : below(command)) {
    if (!each->get_group().empty()) names.push_back(each->get_name());
  }
  return names;
}

std::string name_of_place(const CLI::Option& option) {
  return option.get_positional()       ? option.get_name(true)
         : option.get_lnames().empty() ? ""
                                       : "--" + option.get_lnames().front();
}

}  // namespace

std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words{""};
  char quote = 0;
  bool between = true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote ? c == quote : c == '\'' || c == '"') {
      quote = quote ? 0 : c;
      between = false;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      words.back() += line[++i];
      between = false;
    } else if (!quote && (c == ' ' || c == '\t')) {
      if (!between) words.emplace_back();
      between = true;
    } else {
      words.back() += c;
      between = false;
    }
  }
  return words;
}

Candidates complete(const CLI::App& app, const std::vector<std::string>& words) {
  const std::string last = words.empty() ? "" : words.back();
  const Line line = read_line(app, words);
  if (!line.command) return {};
  const std::string program = line.positionals.empty() ? "" : line.positionals.front();
  Candidates candidates;
  if (line.awaited) {
    candidates = candidates_for(name_of_place(*line.awaited), program);
  } else if (last.starts_with("-")) {
    candidates.words = options_of(*line.command);
  } else if (!below(*line.command).empty()) {
    candidates.words = subcommands_of(*line.command);
  } else if (const CLI::Option* place = positional(*line.command, line.positionals.size())) {
    candidates = candidates_for(name_of_place(*place), program);
  }
  std::erase_if(candidates.words, [&](const std::string& word) { return !word.starts_with(last); });
  return candidates;
}

int print_candidates(const CLI::App& app, const std::vector<std::string>& words) {
  const Candidates candidates = complete(app, words);
  for (const std::string& word : candidates.words) fmt::print("{}\n", word);
  if (!candidates.files.empty()) fmt::print(":files {}\n", candidates.files);
  return kDone;
}

int completion(const std::string& shell) {
  fmt::print("{}", shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
  return kDone;
}

}  // namespace bgw::cli
