#include <boost/json.hpp>
#include <utility>

#include "waybill/http/message.hpp"

namespace waybill::http {

Response problem(int status, std::string_view title, std::string_view detail, Headers headers) {
  const boost::json::object body{
      {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  return {status, "application/problem+json", boost::json::serialize(body), std::move(headers)};
}

}  // namespace waybill::http
