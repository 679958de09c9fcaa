#include "compiler/schema/catalog.h"
#include "tests/support/catch.h"

using namespace bgw::schema;

TEST_CASE("canonical JSON sorts members and tells ints from floats", "[schema]") {
  const Value value = Map{{"b", 60}, {"a", 60.0}, {"c", List{Value(), true, "x"}}};
  CHECK(to_json(value) == R"({"a":60.0,"b":60,"c":[null,true,"x"]})");
  CHECK(parse_json(to_json(value)) == value);
}

TEST_CASE("a float reads back from its JSON to the same bits", "[schema]") {
  for (const double number : {0.1, 1.0 / 3.0, 6.189 * 0.0433641, 1e-300, -2.5e17}) {
    CHECK(parse_json(to_json(Value(number))).as_double() == number);
  }
}

TEST_CASE("a value says which type it holds when another is asked for", "[schema]") {
  CHECK_THROWS_AS(Value("text").as_int(), std::logic_error);
  CHECK_THROWS_AS(Value(Map{}).at("missing"), std::logic_error);
  CHECK(Value(3).as_double() == 3.0);
}

TEST_CASE("a catalog holds one kind a noun", "[schema]") {
  Catalog catalog;
  KindSchema kind;
  kind.noun = "ensemble";
  catalog.add(kind);
  CHECK(catalog.find_kind("ensemble") != nullptr);
  CHECK(catalog.find_kind("ensembel") == nullptr);
  CHECK_THROWS_AS(catalog.add(kind), std::logic_error);
}

TEST_CASE("bounds include or exclude their ends as they say", "[schema]") {
  const Bounds positive{{}, 0.0, {}};
  CHECK_FALSE(positive.holds(0.0));
  CHECK(positive.holds(1e-300));
  const Bounds count{1.0, {}, 10.0};
  CHECK(count.holds(1.0));
  CHECK(count.holds(10.0));
  CHECK_FALSE(count.holds(0.0));
  CHECK(count.describe() == "at least 1 and at most 10");
}
