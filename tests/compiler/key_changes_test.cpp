#include <algorithm>
#include <set>

#include "compiler/syntax/parse.h"
#include "tests/compiler/compiled.h"
#include "tests/compiler/walk_ast.h"

// Which keys change when one value of a program changes: those of the tasks that reach it, and no others. Which tasks
// reach a value is found here from the names in the text alone, without the plan.

using namespace bgw;
using schema::Attribute;
using schema::Type;
using schema::TypeKind;
using tests::compile_text;
using tests::Files;

namespace {

const std::filesystem::path kSource = BGW_SOURCE_DIR;

/// A program with the files it imports; the program is "program.bgw".
struct Sources {
  Files files;
  const std::string& main() const { return files.at("program.bgw"); }
};

Sources example(const std::string& path, const std::vector<std::string>& imported = {}) {
  Sources sources;
  sources.files["program.bgw"] = tests::read_text(kSource / path);
  for (const std::string& import : imported) sources.files[import] = tests::read_text((kSource / path).parent_path() / import);
  return sources;
}

std::optional<lowering::Program> compiled(const Sources& sources) { return compile_text(sources.main(), sources.files).program; }

/// A parsed file with its text.
struct Parsed {
  explicit Parsed(const std::string& name, const std::string& text) : source(name, text) {
    source::DiagnosticSink sink;
    auto parsed = syntax::parse(source, sink);
    if (!parsed) FAIL(name << " cannot be parsed");
    file = std::move(*parsed);
  }
  source::SourceFile source;
  syntax::File file;
  std::string text(source::SourceRange range) const { return std::string(source.text(range)); }
};

std::string without_blanks(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

// ---------- what reads what ----------

bool has_word(const Type& type, const std::string& word) {
  const auto holds = [&](const std::vector<std::string>& words) { return std::find(words.begin(), words.end(), word) != words.end(); };
  return holds(type.words) || holds(type.later) || std::any_of(type.items.begin(), type.items.end(), [&](const Type& item) { return has_word(item, word); });
}

/// What mentions what. A node is "file:name" of a block, let or function; a task made by a call is "rdf(draws[64])", a
/// block at another state "at(file:name".
class References {
 public:
  explicit References(const Sources& sources) {
    for (const auto& [path, text] : sources.files) {
      const Parsed parsed(path, text);
      for (const syntax::Item& item : parsed.file.items) {
        if (const auto* import = std::get_if<syntax::Import>(&item.what)) imports_[path][import->as ? import->as->text : std::filesystem::path(import->path).stem().string()] = import->path;
      }
      parsed_ = &parsed;
      path_ = path;
      for (const syntax::Item& item : parsed.file.items) add(item);
    }
  }

  /// The nodes that the attribute of a node reaches, directly or through others.
  std::set<std::string> downstream(const std::string& node, const std::string& attribute) const {
    std::set<std::string> reached{node};
    for (bool grown = true; grown;) {
      grown = false;
      for (const Edge& edge : edges_) {
        if (reached.count(edge.read) && !edge.fixed.count(attribute)) grown = reached.insert(edge.reader).second || grown;
      }
    }
    return reached;
  }

 private:
  /// `fixed` does not come through: `at(phonons, temperature = 600 K)` reads all of phonons but its temperature.
  struct Edge {
    std::string reader, read;
    std::set<std::string> fixed;
  };

  void add(const syntax::Item& item) {
    if (const auto* block = std::get_if<syntax::Block>(&item.what)) {
      const schema::KindSchema* kind = tests::catalog().find_kind(block->kind.text);
      add_body(block->body, path_ + ":" + block->name.text, kind->attributes, kind->nested);
      if (block->base) mentions(*block->base, path_ + ":" + block->name.text);
    } else if (const auto* let = std::get_if<syntax::Let>(&item.what)) {
      mentions(*let->value, path_ + ":" + let->name.text);
    } else if (const auto* function = std::get_if<syntax::Function>(&item.what)) {
      mentions(*function->body, path_ + ":" + function->name.text);
    }
  }

  void add_body(const syntax::Body& body, const std::string& node, const std::vector<Attribute>& attributes, const std::vector<schema::NestedSchema>& nested) {
    for (const syntax::Member& member : body.members) {
      if (const auto* attribute = std::get_if<syntax::Attribute>(&member.what)) {
        // `method = lfep` is the word, though a block may have this name.
        const auto* bare = std::get_if<syntax::Reference>(&attribute->value->what);
        const bool word = bare && bare->trailers.empty() && std::any_of(attributes.begin(), attributes.end(), [&](const Attribute& each) {
          return each.name == attribute->name.text && has_word(each.type, bare->name.text);
        });
        if (!word) mentions(*attribute->value, node);
      } else if (const auto* block = std::get_if<syntax::NestedBlock>(&member.what)) {
        for (const schema::NestedSchema& each : nested) {
          if (each.kind == block->kind.text) add_body(*block->body, node, each.attributes, {});
        }
      }
    }
  }

  void mentions(const syntax::Expression& expression, const std::string& node, const std::set<std::string>& fixed = {}) {
    std::set<const syntax::Expression*> done;  // parts that were seen with what they belong to
    tests::walk(expression, [&](const syntax::Expression& part) {
      const auto* reference = std::get_if<syntax::Reference>(&part.what);
      if (!reference || !done.insert(&part).second) return;
      const std::string& name = reference->name.text;
      const auto* call = reference->trailers.empty() ? nullptr : std::get_if<syntax::CallTrailer>(&reference->trailers[0].what);
      const bool makes_task = call && tests::catalog().find_function(name);
      if (!makes_task && !(call && name == "at")) {
        edges_.push_back({node, named(*reference), fixed});
        return;
      }
      const syntax::Expression& of = *call->arguments[0].value;
      std::set<std::string> states;
      for (std::size_t i = 1; name == "at" && i < call->arguments.size(); ++i) states.insert(call->arguments[i].name->text);
      const std::string made = makes_task ? name + "(" + without_blanks(parsed_->text(of.range)) + ")" : "at(" + named(std::get<syntax::Reference>(of.what));
      edges_.push_back({node, made, fixed});
      mentions(of, made, states);
      tests::walk(of, [&](const syntax::Expression& inner) { done.insert(&inner); });
    });
  }

  std::string named(const syntax::Reference& reference) {
    const auto import = imports_[path_].find(reference.name.text);
    const auto* member = reference.trailers.empty() ? nullptr : std::get_if<syntax::MemberTrailer>(&reference.trailers[0].what);
    return import != imports_[path_].end() && member ? import->second + ":" + member->name.text : path_ + ":" + reference.name.text;
  }

  std::vector<Edge> edges_;
  std::map<std::string, std::map<std::string, std::string>> imports_;  // file -> name -> file
  const Parsed* parsed_ = nullptr;
  std::string path_;
};

/// The node of a task by its name: of "draws[64]" it is "program.bgw:draws".
std::string node_of(const plan::TaskSpec& task) {
  if (tests::catalog().find_function(task.kind)) return task.name;
  const std::string front = task.name.starts_with("at(") ? "at(" : "";
  const std::string name = task.name.substr(front.size());
  return front + "program.bgw:" + name.substr(0, name.find_first_of("[,"));
}

// ---------- the values of a program ----------

/// A value in the text, and what else could stand there.
struct Place {
  std::string file, node, path;   // "program.bgw:draws", "draws.count"
  std::string attribute;          // "count", of a constructor its argument
  source::SourceRange range;
  std::vector<std::string> others;
  bool policy = false;
};

class Places {
 public:
  explicit Places(const Sources& sources) {
    for (const auto& [path, text] : sources.files) {
      const Parsed parsed(path, text);
      parsed_ = &parsed;
      for (const syntax::Item& item : parsed.file.items) {
        const auto* block = std::get_if<syntax::Block>(&item.what);
        const schema::KindSchema* kind = block ? tests::catalog().find_kind(block->kind.text) : nullptr;
        if (!kind) continue;
        here_ = {path, path + ":" + block->name.text, block->name.text, {}, {}, {}, kind->makes == schema::Makes::policy};
        add_body(block->body, kind->attributes, kind->nested);
      }
    }
  }
  std::vector<Place> all;

 private:
  void add_body(const syntax::Body& body, const std::vector<Attribute>& attributes, const std::vector<schema::NestedSchema>& nested) {
    for (const syntax::Member& member : body.members) {
      if (const auto* attribute = std::get_if<syntax::Attribute>(&member.what)) {
        for (const Attribute& each : attributes) {
          if (each.name == attribute->name.text) add_value(*attribute->value, each.type, each.name, here_.policy || each.policy);
        }
      } else if (const auto* block = std::get_if<syntax::NestedBlock>(&member.what)) {
        for (const schema::NestedSchema& each : nested) {
          if (each.kind != block->kind.text) continue;
          const Place outer = here_;
          here_.path += "." + (block->name ? block->name->text : each.kind);
          here_.policy = here_.policy || each.policy;
          add_body(*block->body, each.attributes, {});
          here_ = outer;
        }
      }
    }
  }

  void add_value(const syntax::Expression& value, const Type& type, const std::string& name, bool policy) {
    Place place = here_;
    place.path += "." + name;
    place.attribute = name;
    place.range = value.range;
    place.policy = policy;
    if (const auto* range = std::get_if<syntax::RangeExpression>(&value.what)) {
      const std::string low = "(" + parsed_->text(range->first->range) + ")", high = "(" + parsed_->text(range->last->range) + ")";
      place.others = {low + " * 0.99 .. " + high + " * 1.01", low + " * 1.01 .. " + high + " * 0.99"};
    } else if (policy && type.kind == TypeKind::reference) {
      place.others = {"none"};  // `uses = gpu`
    } else if (!has_parts(value)) {
      collect(type, "(" + parsed_->text(value.range) + ")", place.others);
    }
    if (!place.others.empty()) all.push_back(place);
    if (const auto* reference = std::get_if<syntax::Reference>(&value.what)) add_arguments(*reference, name, policy);
    if (const auto* list = std::get_if<syntax::ListExpression>(&value.what)) {
      for (const Type& each : type.kind == TypeKind::any_of ? type.items : std::vector<Type>{type}) {
        if (each.kind == TypeKind::list && !list->items.empty()) add_value(*list->items.front(), each.items[0], name + ".1", policy);
      }
    }
  }

  /// Lists and constructors are changed in their parts.
  static bool has_parts(const syntax::Expression& value) {
    const auto* reference = std::get_if<syntax::Reference>(&value.what);
    const bool call = reference && !reference->trailers.empty() && std::holds_alternative<syntax::CallTrailer>(reference->trailers[0].what);
    return std::holds_alternative<syntax::ListExpression>(value.what) || (call && tests::catalog().find_constructor(reference->name.text));
  }

  /// `hmc(chains = 16, steps = 64)`: each argument is a value.
  void add_arguments(const syntax::Reference& reference, const std::string& name, bool policy) {
    const auto* call = reference.trailers.empty() ? nullptr : std::get_if<syntax::CallTrailer>(&reference.trailers[0].what);
    const schema::ConstructorSchema* constructor = tests::catalog().find_constructor(reference.name.text);
    if (!call || !constructor || name == "system" || name == "ensemble") return;
    for (std::size_t i = 0; i < call->arguments.size(); ++i) {
      const syntax::CallArgument& argument = call->arguments[i];
      for (std::size_t k = 0; k < constructor->arguments.size(); ++k) {
        const Attribute& each = constructor->arguments[k];
        if (argument.name ? argument.name->text == each.name : i == k) add_value(*argument.value, each.type, each.name, policy);
      }
    }
  }

  /// Texts that could stand in place of a value of this type; the first that the compiler takes is used.
  static void collect(const Type& type, const std::string& value, std::vector<std::string>& others) {
    const auto add = [&](std::initializer_list<const char*> changes) {
      for (const char* change : changes) others.push_back(value + change);
    };
    switch (type.kind) {
      case TypeKind::integer: add({" + 1", " - 1", " * 2", " * 8"}); break;
      case TypeKind::seed: add({" + 1"}); break;
      case TypeKind::number:
      case TypeKind::quantity: add({" * 1.01", " * 0.99"}); break;
      case TypeKind::boolean: others.push_back("not " + value); break;
      case TypeKind::word:
        if (!has_word(type, value.substr(1, value.size() - 2))) break;  // `kind = p` may be any word already
        for (const auto* words : {&type.words, &type.later}) {
          for (const std::string& word : *words) {
            const auto same = type.aliases.find(value.substr(1, value.size() - 2));
            if (!type.aliases.count(word) && "(" + word + ")" != value && (same == type.aliases.end() || same->second != word)) others.push_back(word);
          }
        }
        break;
      case TypeKind::any_of:
        for (const Type& item : type.items) collect(item, value, others);
        break;
      default: break;
    }
  }

  const Parsed* parsed_ = nullptr;
  Place here_;
};

// ---------- what changed ----------

using Names = std::set<std::string>;

/// Every name of a task -> its key, or its stream key.
std::map<std::string, std::string> keys_by_name(const lowering::Program& program, bool stream) {
  std::map<std::string, std::string> keys;
  for (const plan::TaskSpec& task : program.plan.tasks) {
    const std::string key = (stream ? task.stream_key : task.key).hex();
    keys[task.kind + " " + task.name] = key;
    for (const std::string& name : task.also_named) keys[task.kind + " " + name] = key;
  }
  return keys;
}

/// Tasks whose key differs, or that are named otherwise now.
Names changed(const lowering::Program& before, const lowering::Program& after, bool stream) {
  const auto old = keys_by_name(before, stream), fresh = keys_by_name(after, stream);
  Names names;
  for (const auto& [name, key] : old) {
    const auto now = fresh.find(name);
    if (now == fresh.end() || now->second != key) names.insert(name);
  }
  return names;
}

Names tasks_of(const lowering::Program& program, const std::set<std::string>& nodes) {
  Names names;
  for (const plan::TaskSpec& task : program.plan.tasks) {
    plan::TaskSpec named = task;
    std::vector<std::string> all = task.also_named;
    all.push_back(task.name);
    for (const std::string& name : all) {
      named.name = name;
      if (nodes.count(node_of(named))) names.insert(task.kind + " " + name);
    }
  }
  return names;
}

Sources with(const Sources& sources, const Place& place, const std::string& text) {
  Sources edited = sources;
  edited.files[place.file].replace(place.range.begin, place.range.end - place.range.begin, text);
  return edited;
}

/// "+F[64] -draws[64]": changed and not expected, expected and not changed.
std::string difference(const Names& found, const Names& expected) {
  std::string text;
  for (const std::string& name : found) text += expected.count(name) ? "" : "+" + name + " ";
  for (const std::string& name : expected) text += found.count(name) ? "" : "-" + name + " ";
  return text;
}

struct Counts {
  std::size_t changed = 0, policies = 0;
  std::vector<std::string> without_another;  // places where nothing else is legal
};

/// Changes every value of a program by itself.
Counts check_every_value(const Sources& sources) {
  const auto before = compiled(sources);
  REQUIRE(before);
  const References references(sources);
  Counts counts;
  for (const Place& place : Places(sources).all) {
    std::optional<lowering::Program> after;
    std::string text;
    for (const std::string& other : place.others) {
      text = other;
      if ((after = compiled(with(sources, place, other)))) break;
    }
    if (!after) {
      counts.without_another.push_back(place.path);
      continue;
    }
    INFO(place.path << " = " << text);
    const Names expected = place.policy ? Names{} : tasks_of(*before, references.downstream(place.node, place.attribute));
    CHECK(difference(changed(*before, *after, false), expected) == "");
    const bool length = place.attribute == "steps" || place.attribute == "count" || place.attribute == "produce";
    CHECK(difference(changed(*before, *after, true), length ? Names{} : expected) == "");
    ++(place.policy ? counts.policies : counts.changed);
  }
  return counts;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

}  // namespace

// Words that choose a variant have no other that goes with the same attributes, and a number that two blocks share
// cannot change in one of them alone: the lists name those places.

TEST_CASE("a value of the quickstart changes the keys of what reaches it, and no others", "[key]") {
  const Counts counts = check_every_value(example("workflows/quickstart.bgw"));
  CHECK(counts.changed >= 28);
  CHECK(counts.policies == 2);
  CHECK(listed(counts.without_another) == "mw.style cold.kind ours.type ref.method ");
}

TEST_CASE("so does a value of the mW program", "[key]") {
  const Counts counts = check_every_value(example("examples/paper_mw_ice.bgw", {"lib/mw.bgw"}));
  CHECK(counts.changed >= 50);
  CHECK(counts.policies >= 14);
  CHECK(listed(counts.without_another) == "mw.style nvt200.kind bgflow.type bgflow.neighbours einstein.kind ref.method marg.marginal ");
}

TEST_CASE("so does a value of the silicon program", "[key]") {
  const Counts counts = check_every_value(example("examples/silicon_phase_diagram.bgw"));
  CHECK(counts.changed >= 30);
  CHECK(counts.policies >= 8);
  CHECK(listed(counts.without_another) ==
        "si.style xtal.c_over_a band.kind conditional.type conditional.condition_on.1 F.method F.temperature F.density F.c_over_a F.stress "
        "anchor.temperature anchor.density anchor.c_over_a ");
}

TEST_CASE("so does a value of the Lennard-Jones program", "[key]") {
  const Counts counts = check_every_value(example("examples/lj_npt.bgw"));
  CHECK(counts.changed >= 25);
  CHECK(listed(counts.without_another) == "lj.style fcc.kind nvt.kind npt.kind f.type f.neighbours einstein.kind F.method ");
}

TEST_CASE("what a program does not use of a library is in no key", "[key]") {
  Sources sources;
  sources.files["lib.bgw"] =
      "bgw 1\nparam rho : density = 0.0336 /angstrom^3\nparam unused : float = 3\nlet half = 2\nlet other = 5\n"
      "axis size : int = [64, 216]\nfn twice(a: int) -> int = half * a\nfn thrice(a: int) -> int = 3 * a\n"
      "potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\n"
      "potential si { style = stillinger_weber; epsilon = 50.003 kcal/mol; sigma = 2.0951 angstrom; lambda = 21 }\n"
      "lattice ice[n in size] { kind = diamond_cubic; atoms = n; density = rho }\n"
      "system water[n in size] { potential = mw; lattice = ice[n]; mass = 18.015 g/mol }\n"
      "system silicon { potential = si; lattice = ice[216]; mass = 28.085 g/mol }\n"
      "flow plain { type = mode_split; splits = 8 }\nflow rich { type = mode_split; splits = 32 }\n"
      "train careful { stage main { loss = reverse_kl; steps = 70 }; checkpoint { every = 10 s } }\n"
      "sample unused_draws { count = 500; seed = 1 }\n";
  sources.files["program.bgw"] =
      "bgw 1\nimport \"lib.bgw\" as lib\nensemble cold { kind = nvt; temperature = 200 K }\nensemble warm { kind = nvt; temperature = 240 K }\n"
      "base phonons { kind = scha; system = lib.water[64]; ensemble = cold; samples = lib.twice(60) }\n"
      "base others { kind = phonon; system = lib.water[216]; ensemble = warm }\n"
      "train bg extends lib.careful { system = lib.water[64]; ensemble = cold; base = phonons; flow = lib.plain; seed = 1 }\n";
  const auto before = compiled(sources);
  REQUIRE(before);
  CHECK(check_every_value(sources).changed >= 27);
  const Names all{"base phonons", "base others", "train bg"};
  const auto edited = [&](const std::string& from, const std::string& to) {
    Sources other = sources;
    std::string& text = other.files["lib.bgw"];
    const auto at = text.find(from);
    if (at == std::string::npos) FAIL("the library has no " << from);
    text.replace(at, from.size(), to);
    const auto after = compiled(other);
    if (!after) FAIL(from << " -> " << to << " is wrong");
    return changed(*before, *after, false);
  };
  // Used.
  CHECK(edited("lambda = 23.15", "lambda = 23.16") == all);
  CHECK(edited("density = 0.0336", "density = 0.0337") == all);
  CHECK(edited("18.015 g/mol", "18.016 g/mol") == all);
  CHECK(edited("let half = 2", "let half = 3") == Names{"base phonons", "train bg"});
  CHECK(edited("splits = 8", "splits = 9") == Names{"train bg"});
  CHECK(edited("steps = 70", "steps = 80") == Names{"train bg"});
  CHECK(edited("[64, 216]", "[64, 216, 512]").empty());
  // Not used, or no part of the numbers.
  CHECK(edited("lambda = 21", "lambda = 22").empty());
  CHECK(edited("28.085 g/mol", "28.086 g/mol").empty());
  CHECK(edited("splits = 32", "splits = 33").empty());
  CHECK(edited("let other = 5", "let other = 6").empty());
  CHECK(edited("unused : float = 3", "unused : float = 4").empty());
  CHECK(edited("int = 3 * a", "int = 4 * a").empty());
  CHECK(edited("count = 500", "count = 600").empty());
  CHECK(edited("every = 10 s", "every = 20 s").empty());
  CHECK(edited("bgw 1\n", "bgw 1\n# water\nlet more = 1\nensemble warm { kind = nvt; temperature = 1 K }\n").empty());
}
