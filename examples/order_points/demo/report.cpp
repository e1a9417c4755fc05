#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace demo {
namespace {
namespace json = boost::json;

json::object parse(const std::string& audit) {
  return json::parse(audit).as_object();
}

struct Line {
  const char* key;
  const char* title;
  bool must_be_zero;
};

constexpr Line kLines[] = {
    {"orders", "orders committed", false},
    {"grants", "grants of points", false},
    {"missing", "missing: orders without points", true},
    {"double", "double: orders with points twice", true},
    {"phantom", "phantom: points without an order", true},
    {"wrong", "wrong amount or user", true},
    {"untrue", "answers that were not true", true},
    {"unfinished", "unfinished messages", true},
    {"p50_ms", "order to points, p50 ms", false},
    {"p99_ms", "order to points, p99 ms", false},
};

std::string cell(const json::object& audit, const Line& line) {
  const std::int64_t value = audit.at(line.key).to_number<std::int64_t>();
  return fmt::format("{}{}", value, line.must_be_zero && value != 0 ? " !" : "  ");
}

std::string states_of(const json::object& audit) {
  std::string text;
  for (const auto& [state, rows] : audit.at("states").as_object())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", std::string_view(state),
                        rows.to_number<std::int64_t>());
  return text.empty() ? "no message table" : text;
}

json::object for_machines(const json::object& audit) {
  json::object side;
  for (const char* key :
       {"orders", "missing", "double", "phantom", "unfinished", "p50_ms", "p99_ms"})
    side[key] = audit.at(key);
  side["points"] = audit.at("grants");
  return side;
}

json::array for_machines(const std::vector<LostAnswer>& outcomes) {
  json::array items;
  for (const LostAnswer& outcome : outcomes) {
    items.push_back(json::object{{"failure", outcome.failure},
                                 {"shop", outcome.shop},
                                 {"told", outcome.told},
                                 {"publishes", outcome.publishes},
                                 {"message_ids", json::value_from(outcome.message_ids)},
                                 {"states", json::value_from(outcome.states)},
                                 {"orders", outcome.orders},
                                 {"grants", outcome.grants},
                                 {"as_expected", outcome.as_expected}});
  }
  return items;
}

}  // namespace

void print_table(const Report& report) {
  const json::object waybill = parse(report.waybill), naive = parse(report.naive);
  fmt::print("\n{:<36}{:>12}{:>12}\n", "", "waybill  ", "naive  ");
  for (const Line& line : kLines)
    fmt::print("{:<36}{:>12}{:>12}\n", line.title, cell(waybill, line), cell(naive, line));
  fmt::print("\nmessages of waybill: {}; naive: {}\n", states_of(waybill), states_of(naive));
}

void write_json(const Report& report, const std::string& path) {
  std::ofstream file(path);
  json::object all{{"lost_answers", for_machines(report.lost_answers)}};
  if (!report.waybill.empty()) all["waybill"] = for_machines(parse(report.waybill));
  if (!report.naive.empty()) all["naive"] = for_machines(parse(report.naive));
  file << json::serialize(all) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

bool is_clean(const std::vector<LostAnswer>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(),
                     [](const LostAnswer& outcome) { return outcome.as_expected; });
}

bool is_clean(const std::string& audit) {
  return parse(audit).at("clean").as_bool();
}

}  // namespace demo
