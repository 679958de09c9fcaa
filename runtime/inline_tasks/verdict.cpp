#include "runtime/inline_tasks/verdict.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "runtime/inline_tasks/expression.h"

namespace bgw::inline_tasks {
namespace {

void judge_by_sigmas(Verdict& verdict, double allowed) {
  verdict.criterion = fmt::format("within {:g} sigma", allowed);
  if (verdict.distance) {
    verdict.holds = *verdict.distance <= allowed;
    return;
  }
  verdict.holds = verdict.difference->value() == 0;
  if (!verdict.holds) verdict.message = "neither number has an error bar: compare them with `tolerance` or `relative`";
}

void judge_difference(Verdict& verdict, const schema::Value& arguments) {
  const double difference = std::abs(verdict.difference->value());
  if (arguments.has("sigmas")) {
    judge_by_sigmas(verdict, arguments.at("sigmas").as_double());
  } else if (arguments.has("tolerance")) {
    const double tolerance = arguments.at("tolerance").as_double();
    verdict.criterion = fmt::format("within {:g}{}{}", tolerance, verdict.difference->unit().empty() ? "" : " ",
                                    verdict.difference->unit());
    verdict.holds = difference <= tolerance;
  } else {
    const double relative = arguments.at("relative").as_double();
    verdict.criterion = fmt::format("within {:g} %", 100 * relative);
    verdict.holds = difference <= relative * std::abs(verdict.reference->value());
  }
  if (!std::isfinite(difference)) {
    verdict.holds = false;
    verdict.message = "the difference is no finite number";
  }
}

void judge_expect(Verdict& verdict, const schema::Value& arguments, const Results& results) {
  verdict.value = evaluate(arguments.at("value"), results).estimate();
  verdict.reference = evaluate(arguments.at("reference"), results).estimate();
  verdict.difference = *verdict.value - *verdict.reference;
  const std::optional<double> sigma = verdict.difference->sigma();
  if (sigma && *sigma > 0) verdict.distance = std::abs(verdict.difference->value()) / *sigma;
  verdict.source = arguments.string_or("source", "");
  judge_difference(verdict, arguments);
}

}  // namespace

Verdict judge(const plan::CheckSpec& check, const Results& results) {
  Verdict verdict;
  verdict.name = check.name;
  verdict.kind = check.kind;
  if (check.kind == "expect") {
    judge_expect(verdict, check.arguments, results);
  } else if (check.kind == "require") {
    verdict.holds = evaluate(check.arguments.at("condition"), results).truth();
    verdict.criterion = "must hold";
    if (!verdict.holds) verdict.message = check.arguments.string_or("message", "");
  } else {
    throw std::logic_error("there is no check of kind " + check.kind);
  }
  return verdict;
}

schema::Value to_value(const Verdict& verdict) {
  schema::Map map{
      {"name", verdict.name}, {"kind", verdict.kind}, {"holds", verdict.holds}, {"criterion", verdict.criterion}};
  if (verdict.value) map["value"] = to_value(*verdict.value);
  if (verdict.reference) map["reference"] = to_value(*verdict.reference);
  if (verdict.difference) map["difference"] = to_value(*verdict.difference);
  if (verdict.distance && std::isfinite(*verdict.distance)) map["sigmas"] = *verdict.distance;
  if (!verdict.source.empty()) map["source"] = verdict.source;
  if (!verdict.message.empty()) map["message"] = verdict.message;
  return map;
}

}  // namespace bgw::inline_tasks
