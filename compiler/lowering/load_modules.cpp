#include "compiler/lowering/load_modules.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/source/read_source.h"
#include "compiler/syntax/parse.h"

namespace bgw::lowering {
namespace {

using semantics::SourceModule;

constexpr std::size_t kMostFiles = 1000;
constexpr std::size_t kMostBytes = 64U << 20;
constexpr const char* kStd = "std";

std::optional<std::string> read_from_disk(const std::string& path, std::string& problem) {
  source::ReadFailure failure;
  auto text = source::read_source(path, failure);
  problem = failure.message;
  return text;
}

bool is_name(const std::string& text) {
  const auto inside = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c >= 0x80; };
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 && std::all_of(text.begin(), text.end(), inside);
}

class Loader {
 public:
  Loader(source::SourceMap& sources, const ImportReader& read, source::DiagnosticSink& sink, semantics::Modules& modules)
      : sources_(sources), read_(read ? read : ImportReader(read_from_disk)), sink_(sink), modules_(modules) {}

  bool load_program() {
    auto file = syntax::parse(sources_.main(), sink_);
    if (!file) return false;
    open_.push_back(sources_.main().path());
    add_module(std::move(*file), sources_.main(), "");
    return true;
  }

 private:
  std::size_t add_module(syntax::File parsed, const source::SourceFile& text, const std::string& prefix) {
    modules_.files.push_back(std::move(parsed));
    const syntax::File& file = modules_.files.back();
    const std::size_t index = modules_.modules.size();
    modules_.modules.push_back({&file, prefix, {}});
    SourceModule& module = modules_.modules[index];  // a deque: it stays where it is
    for (const syntax::Item& item : file.items) {
      if (const auto* import = std::get_if<syntax::Import>(&item.what)) add_import(module, *import, item.range, text.path());
    }
    if (!module.imports.count(kStd) && text.path() != kStd && text.text().find("std.") != std::string_view::npos && semantics::names_in(file).count(kStd) != 0 &&
        !defines(file, kStd)) {
      module.imports[kStd] = {std_module(), {}};
    }
    return index;
  }

  static bool defines(const syntax::File& file, const std::string& wanted) {
    return std::any_of(file.items.begin(), file.items.end(), [&](const syntax::Item& item) {
      return std::visit([&](const auto& what) {
        if constexpr (requires { what.name.text; }) return what.name.text == wanted;
        else return false;
      }, item.what);
    });
  }

  std::size_t std_module() {
    if (!std_) {
      const source::SourceFile& text = sources_.add(kStd, std::string(bundled_std()));
      auto file = syntax::parse(text, sink_);
      std_ = add_module(file ? std::move(*file) : syntax::File{}, text, "std.");
    }
    return *std_;
  }

  void fail(const char* id, source::SourceRange range, std::string message, std::vector<std::string> helps, std::vector<std::string> notes = {}) {
    sink_.add({id, source::Severity::error, range, std::move(message), {}, {}, std::move(notes), std::move(helps)});
  }

  void add_import(SourceModule& module, const syntax::Import& import, source::SourceRange range, const std::string& from) {
    const std::string stem = std::filesystem::path(import.path).stem().string();
    if (!import.as && !is_name(stem)) {
      fail("E0219", import.path_range, fmt::format("`{}` is no name to use the import by", stem), {fmt::format("write `import \"{}\" as NAME`", import.path)});
      return;
    }
    const std::string name = import.as ? import.as->text : stem;
    if (const auto other = module.imports.find(name); other != module.imports.end()) {
      sink_.add({"E0206", source::Severity::error, range, fmt::format("`{}` is imported twice", name), {}, {{other->second.range, "first here"}}, {},
                 {fmt::format("write `import \"{}\" as NAME` with another name", import.path)}});
      return;
    }
    if (const auto loaded = module_of(module, import, name, from)) module.imports[name] = {*loaded, range};
  }

  std::optional<std::size_t> module_of(const SourceModule& module, const syntax::Import& import, const std::string& name, const std::string& from) {
    if (import.path == kStd) return std_module();
    const std::string path = source::path_seen_from(from, import.path);
    const auto begin = std::find(open_.begin(), open_.end(), path);
    if (begin != open_.end()) {
      fail("E0222", import.path_range, fmt::format("`{}` imports itself", path), {"move what both need into a third file"},
           {fmt::format("{} imports {}", fmt::join(begin, open_.end(), " imports "), path)});
      return std::nullopt;
    }
    if (const auto known = loaded_.find(path); known != loaded_.end()) return known->second;
    if (loaded_.size() >= kMostFiles || open_.size() > 100) {
      fail("E0219", import.path_range, fmt::format("this program imports more than {} files", open_.size() > 100 ? 100 : kMostFiles), {"put what belongs together into one file"});
      return std::nullopt;
    }
    std::string problem;
    auto text = read_(path, problem);
    if (!text) {
      fail("E0219", import.path_range, problem.empty() ? fmt::format("cannot read {}", path) : problem, {fmt::format("the path is seen from {}", from)});
      return loaded_[path] = std::nullopt;
    }
    bytes_ += text->size();
    if (bytes_ > kMostBytes) {
      fail("E0219", import.path_range, fmt::format("the imported files have more than {} MiB together", kMostBytes >> 20), {"a program is text that people write"});
      return std::nullopt;
    }
    const source::SourceFile& added = sources_.add(path, std::move(*text));
    auto file = syntax::parse(added, sink_);
    open_.push_back(path);
    const std::size_t index = add_module(file ? std::move(*file) : syntax::File{}, added, module.prefix + name + ".");
    open_.pop_back();
    return loaded_[path] = index;
  }

  source::SourceMap& sources_;
  ImportReader read_;
  source::DiagnosticSink& sink_;
  semantics::Modules& modules_;
  std::map<std::string, std::optional<std::size_t>> loaded_;
  std::vector<std::string> open_;  // files on the way to the one being read
  std::optional<std::size_t> std_;
  std::size_t bytes_ = 0;
};

}  // namespace

bool load_modules(source::SourceMap& sources, const ImportReader& read, source::DiagnosticSink& sink, semantics::Modules& modules) {
  return Loader(sources, read, sink, modules).load_program();
}

}  // namespace bgw::lowering
