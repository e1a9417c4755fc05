// confirm/openapi.yaml says what the code does: the same members, words, limits and statuses.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "shop.hpp"
#include "waybill/confirm/batch.hpp"
#include "waybill/message_id.hpp"

namespace waybill::confirm::testing {
namespace {

namespace json = boost::json;
using Path = std::vector<std::string>;
using Words = std::set<std::string>;

std::string read(const std::string& name) {
  std::ifstream file(std::string(WAYBILL_CONFIRM_FOLDER) + "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// As much of YAML as the file uses: mappings by two spaces of indentation, scalars on the line.
class Yaml {
 public:
  explicit Yaml(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) lines_.push_back(line);
  }

  [[nodiscard]] Words keys(const Path& path) const {
    Words keys;
    const auto [begin, end] = find(path);
    for (std::size_t i = begin; i < end; ++i) {
      if (indent(lines_[i]) == 2 * path.size()) keys.insert(key(lines_[i]));
    }
    return keys;
  }

  [[nodiscard]] std::string scalar(const Path& path) const {
    const std::string& line = lines_[find(path).first - 1];
    const std::size_t colon = line.find(": ");
    return colon == std::string::npos ? "" : line.substr(colon + 2);
  }

  // A list such as [a, b].
  [[nodiscard]] Words list(const Path& path) const {
    std::string text = scalar(path);
    for (char& c : text) {
      if (c == '[' || c == ']' || c == ',') c = ' ';
    }
    std::istringstream words(text);
    return {std::istream_iterator<std::string>(words), {}};
  }

 private:
  static std::size_t indent(const std::string& line) {
    const std::size_t at = line.find_first_not_of(' ');
    return at == std::string::npos || line[at] == '#' ? std::string::npos : at;
  }
  static std::string key(const std::string& line) {
    std::string name = line.substr(indent(line), line.find(':') - indent(line));
    std::erase(name, '"');
    return name;
  }

  // The lines below the key.
  [[nodiscard]] std::pair<std::size_t, std::size_t> find(const Path& path) const {
    std::size_t begin = 0;
    std::size_t end = lines_.size();
    for (std::size_t depth = 0; depth < path.size(); ++depth) {
      while (begin < end &&
             (indent(lines_[begin]) != 2 * depth || key(lines_[begin]) != path[depth])) {
        ++begin;
      }
      if (begin == end) throw std::runtime_error("openapi.yaml has no " + path[depth]);
      ++begin;
      std::size_t last = begin;
      while (last < end &&
             (indent(lines_[last]) == std::string::npos || indent(lines_[last]) > 2 * depth)) {
        ++last;
      }
      end = last;
    }
    return {begin, end};
  }

  std::vector<std::string> lines_;
};

Words keys_of(const json::value& value) {
  Words keys;
  for (const auto& member : value.as_object()) keys.insert(std::string(member.key()));
  return keys;
}

Path schema(const std::string& name) {
  return {"components", "schemas", name};
}

Path property(const std::string& schema_name, const std::string& name, const std::string& what) {
  return {"components", "schemas", schema_name, "properties", name, what};
}

Path below(Path path, const std::string& name) {
  path.push_back(name);
  return path;
}

class OpenApi : public ::testing::Test {
 protected:
  [[nodiscard]] std::int64_t number(const Path& path) const {
    return std::stoll(yaml_.scalar(path));
  }
  [[nodiscard]] int status_of(const std::string& body) {
    return endpoint_.handle(signed_request(body, key_)).status;
  }

  const Path operation_ = {"paths", kPath, "post"};
  const std::string text_ = read("openapi.yaml");
  const Yaml yaml_{text_};
  const Key key_ = key_of("points", "points-1");
  Shop shop_;
  WatchedStore store_{shop_.store()};
  Endpoint endpoint_{store_, ring_of({key_}), {.now = [] { return kNow; }}};
};

TEST_F(OpenApi, describes_the_one_path_and_method) {
  EXPECT_EQ(yaml_.keys({"paths"}), Words{kPath});
  EXPECT_EQ(yaml_.keys({"paths", kPath}), Words{"post"});
}

TEST_F(OpenApi, names_the_headers_that_a_signed_request_has) {
  Words signed_headers;
  for (const auto& [name, value] : signed_request("{}", key_).headers) signed_headers.insert(name);
  signed_headers.erase("content-type");
  EXPECT_EQ(yaml_.keys({"components", "parameters"}), signed_headers);
  for (const std::string& name : signed_headers) {
    EXPECT_EQ(yaml_.scalar({"components", "parameters", name, "name"}), name);
    EXPECT_NE(text_.find("#/components/parameters/" + name + "\""), std::string::npos);
  }
}

TEST_F(OpenApi, names_the_members_of_every_body) {
  const auto batch = json::parse(encode_batch({item("A", "points", Verdict::failed)}));
  EXPECT_EQ(yaml_.keys(below(schema("Batch"), "properties")), keys_of(batch));
  EXPECT_EQ(yaml_.keys(below(schema("Confirmation"), "properties")),
            keys_of(batch.at("confirmations").at(0)));
  const auto results = json::parse(encode_results({item("A")}, {ConfirmResult::done}));
  EXPECT_EQ(yaml_.keys(below(schema("Results"), "properties")), keys_of(results));
  EXPECT_EQ(yaml_.keys(below(schema("Result"), "properties")),
            keys_of(results.at("results").at(0)));
  const auto problem = json::parse(endpoint_.handle({}).body);
  EXPECT_EQ(yaml_.keys(below(schema("Problem"), "properties")), keys_of(problem));
  EXPECT_EQ(yaml_.list(below(schema("Problem"), "required")), keys_of(problem));
  EXPECT_EQ(yaml_.list(below(schema("Results"), "required")), keys_of(results));
}

TEST_F(OpenApi, requires_what_the_endpoint_requires) {
  const auto whole = json::parse(encode_batch({item("A", "points", Verdict::failed)}));
  const Words of_batch = yaml_.list(below(schema("Batch"), "required"));
  for (const std::string& name : keys_of(whole)) {
    auto without = whole;
    without.as_object().erase(name);
    EXPECT_EQ(status_of(json::serialize(without)), of_batch.contains(name) ? 400 : 200) << name;
  }
  const Words of_item = yaml_.list(below(schema("Confirmation"), "required"));
  for (const std::string& name : keys_of(whole.at("confirmations").at(0))) {
    auto without = whole;
    without.at("confirmations").at(0).as_object().erase(name);
    EXPECT_EQ(status_of(json::serialize(without)), of_item.contains(name) ? 400 : 200) << name;
  }
}

TEST_F(OpenApi, lists_every_verdict_and_result) {
  Words verdicts;
  for (const Verdict verdict : {Verdict::done, Verdict::failed, Verdict::later}) {
    verdicts.insert(std::string(to_string(verdict)));
  }
  EXPECT_EQ(yaml_.list(property("Confirmation", "verdict", "enum")), verdicts);
  Words results;
  for (const auto result :
       {ConfirmResult::done, ConfirmResult::already, ConfirmResult::not_found}) {
    results.insert(std::string(to_string(result)));
  }
  EXPECT_EQ(yaml_.list(property("Result", "result", "enum")), results);
}

TEST_F(OpenApi, has_the_code_s_limits_and_defaults) {
  const auto expect = [&](const char* schema_name, const char* name, const char* what,
                          std::int64_t value) {
    EXPECT_EQ(number(property(schema_name, name, what)), value) << name << " " << what;
  };
  const Confirmation defaults;
  expect("Batch", "consumer", "maxLength", kConsumerBytesMax);
  expect("Batch", "confirmations", "maxItems", kItemsMax);
  expect("Results", "results", "maxItems", kItemsMax);
  expect("Batch", "retention_seconds", "maximum", kRetentionMax.count());
  expect("Batch", "retention_seconds", "default", defaults.retention.count());
  expect("Confirmation", "message_id", "maxLength", kMessageIdBytesMax);
  expect("Confirmation", "reason", "maxLength", kReasonBytesMax);
  expect("Confirmation", "epoch", "maximum", std::numeric_limits<std::uint32_t>::max());
  expect("Confirmation", "epoch", "default", defaults.epoch);
  EXPECT_EQ(yaml_.scalar(below(below(operation_, "requestBody"), "description")),
            "At most " + std::to_string(EndpointOptions{}.body_bytes_max) + " bytes.");
  const auto seconds = std::chrono::seconds(kTimestampTolerance).count();
  EXPECT_NE(yaml_.scalar({"components", "parameters", "webhook-timestamp", "description"})
                .find("at most " + std::to_string(seconds) + " seconds"),
            std::string::npos);
}

TEST_F(OpenApi, the_endpoint_holds_the_file_s_limits_exactly) {
  const auto whole = json::parse(encode_batch({item("A", "points", Verdict::failed)}));
  const auto check = [&](const char* schema_name, const char* name) {
    for (const char* what : {"minLength", "maxLength", "minimum", "maximum"}) {
      const Path path = property(schema_name, name, "");
      if (!yaml_.keys({path.begin(), path.end() - 1}).contains(what)) continue;
      const std::int64_t limit = number(property(schema_name, name, what));
      const bool is_text = std::string(what).ends_with("Length");
      const bool is_max = std::string(what).starts_with("max");
      const auto status_with = [&](std::int64_t value) {
        auto changed = whole;
        auto& object = std::string(schema_name) == "Batch"
                           ? changed.as_object()
                           : changed.at("confirmations").at(0).as_object();
        if (is_text) {
          object[name] = std::string(static_cast<std::size_t>(value), 'a');
        } else {
          object[name] = value;
        }
        return status_of(json::serialize(changed));
      };
      EXPECT_EQ(status_with(limit), 200) << name << " " << what;
      if (is_text && limit == 0) continue;
      EXPECT_EQ(status_with(is_max ? limit + 1 : limit - 1), 400) << name << " " << what;
    }
  };
  check("Batch", "consumer");
  check("Batch", "retention_seconds");
  check("Confirmation", "message_id");
  check("Confirmation", "reason");
  check("Confirmation", "epoch");
}

TEST_F(OpenApi, lists_the_statuses_that_the_endpoint_gives_and_no_other) {
  Words given;
  const auto give = [&](const Request& request) {
    const Reply reply = endpoint_.handle(request);
    given.insert(std::to_string(reply.status));
    EXPECT_NE(text_.find(reply.content_type + ":"), std::string::npos) << reply.content_type;
  };
  const Request good = signed_request({item("A")}, key_);
  give(good);
  give(signed_request("{}", key_));
  give({});
  Request other = good;
  other.target = "/";
  give(other);
  other = good;
  other.method = "GET";
  give(other);
  other = good;
  other.body.assign(EndpointOptions{}.body_bytes_max + 1, ' ');
  give(other);
  shop_.query("ALTER TABLE waybill_route RENAME TO waybill_route_away");
  give(good);
  EXPECT_EQ(yaml_.keys(below(operation_, "responses")), given);
}

TEST_F(OpenApi, names_the_headers_of_refusals) {
  const auto expect_headers = [&](const std::string& name, const Reply& reply) {
    const Path headers = {"components", "responses", name, "headers"};
    Words given;
    for (const auto& [header, value] : reply.headers) {
      given.insert(header);
      EXPECT_NE(yaml_.scalar(below(below(headers, header), "schema")).find(value),
                std::string::npos)
          << value;
    }
    EXPECT_EQ(yaml_.keys(headers), given);
  };
  expect_headers("Unauthorized", endpoint_.handle({}));
  Request read = signed_request({item("A")}, key_);
  read.method = "GET";
  expect_headers("MethodNotAllowed", endpoint_.handle(read));
}

}  // namespace
}  // namespace waybill::confirm::testing
