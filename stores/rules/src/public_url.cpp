#include <algorithm>
#include <cctype>

#include "waybill/stores/schema.hpp"

namespace waybill::store {
namespace {

bool is_secret(std::string_view parameter) {
  std::string name(parameter.substr(0, parameter.find('=')));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.find("pass") != name.npos || name.find("pwd") != name.npos;
}

}  // namespace

std::string public_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t login = scheme == url.npos ? 0 : scheme + 3;
  std::string shown(url);
  // A password may hold '/', '?' or '@' by mistake: it ends at the last '@' of all.
  const std::size_t at = url.rfind('@');
  const std::size_t colon = url.find(':', login);
  if (at != url.npos && at > login && colon < at) shown.erase(colon, at - colon);
  const std::size_t mark = shown.find('?');
  if (mark == shown.npos) return shown;
  std::string_view parameters = url.substr(url.size() - (shown.size() - mark - 1));
  shown.resize(mark);
  for (char before = '?'; !parameters.empty();) {
    const std::string_view parameter = parameters.substr(0, parameters.find('&'));
    parameters.remove_prefix(std::min(parameter.size() + 1, parameters.size()));
    if (is_secret(parameter)) continue;
    shown += before;
    shown += parameter;
    before = '&';
  }
  return shown;
}

}  // namespace waybill::store
