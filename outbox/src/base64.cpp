#include "base64.hpp"

#include <openssl/evp.h>

namespace waybill {

std::string encode_base64(std::string_view bytes) {
  std::string out(base64_size(bytes.size()) + 1, '\0');  // EVP_EncodeBlock writes a NUL behind
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

}  // namespace waybill
