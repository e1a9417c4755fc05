// A batch as the one JSON document that JSON_TABLE unpacks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "waybill/clock.hpp"

namespace waybill::mariadb {

// [1,2,3] or ["a","b"].
[[nodiscard]] std::string json_list(std::span<const std::int64_t> values);
[[nodiscard]] std::string json_list(std::span<const std::string_view> values);

// [[1,"a"],[2,"b"]], row by row. Bytes that are no UTF-8 come out as '?': they could be in no
// column.
class JsonRows {
 public:
  JsonRows& row();
  JsonRows& add(std::int64_t value);
  JsonRows& add(std::string_view text);
  JsonRows& add(DatabaseTime time);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void separate();

  std::string text_;
};

}  // namespace waybill::mariadb
