// What all commands have in common when they are asked for JSON. Whether each prints what its schema says is checked by
// tests/scripts/json_schemas.py.
#include "tests/support/desk.h"

using bgw::schema::parse_json;
using bgw::schema::Value;
using bgw::test::Answer;
using bgw::test::Desk;
using bgw::test::has;
using bgw::test::text_of;

TEST_CASE("a document says which form it has, a list does not", "[commands][json]") {
  const Desk desk;
  CHECK(parse_json(desk.bgw("check ice.bgw --json").out).at("schema").as_int() == 1);
  CHECK(parse_json(desk.bgw("show ice.bgw 'water[64]' --json").out).at("schema").as_int() == 1);
  const Value family = parse_json(desk.bgw("show ice.bgw water --json").out);
  REQUIRE(family.as_list().size() == 2);
  CHECK_FALSE(family.as_list().front().has("schema"));
}

TEST_CASE("a command that ends without its answer says why in JSON, too", "[commands][json]") {
  const Desk desk;
  const Answer missing = desk.bgw("show ice.bgw 'F[64]' --json");
  CHECK(missing.exit_code == 4);
  const Value told = parse_json(missing.out);
  CHECK_FALSE(told.at("ok").as_bool());
  CHECK(told.at("exit_code").as_int() == 4);
  CHECK(has(missing.err, told.at("message").as_string()));
  CHECK_FALSE(told.has("diagnostics"));

  const Answer misused = desk.bgw("plan ice.bgw --no-such-option --json");
  CHECK(misused.exit_code == 2);
  CHECK(parse_json(misused.out).at("exit_code").as_int() == 2);
}

TEST_CASE("every command answers a wrong program with its diagnostics", "[commands][json]") {
  const Desk desk;
  std::ofstream(desk.folder() / "wrong.bgw") << "bgw 1\nlattice ice { kind = diamond_cubic; atom = 64 }\n";
  for (const char* command : {"check", "plan", "run", "list", "report"}) {
    INFO(command);
    const Answer answer = desk.bgw(std::string(command) + " wrong.bgw --json");
    CHECK(answer.exit_code == 3);
    const Value told = parse_json(answer.out);
    CHECK(told.at("exit_code").as_int() == 3);
    CHECK_FALSE(told.at("diagnostics").as_list().empty());
  }
}

TEST_CASE("the schema of a command is the one that is published", "[commands][json]") {
  const Desk desk;
  const std::filesystem::path published = std::filesystem::path(BGW_SOURCE_DIR) / "docs" / "schemas" / "cache-verify.schema.json";
  CHECK(desk.bgw("schema cache verify").out == text_of(published));
  CHECK(desk.bgw("schema cache-verify").out == text_of(published));
  CHECK(has(desk.bgw("schema").out, "bgw cache verify --json"));
  const Answer unknown = desk.bgw("schema cache verfy");
  CHECK(unknown.exit_code == 2);
  CHECK(has(unknown.err, "there is no schema `cache-verfy`; did you mean `cache-verify`?"));
}
