#include "waybill/testing/faulty_post.hpp"

#include <random>

namespace waybill::testing {

confirm::Post make_faulty(confirm::Post inner, PostFaults faults) {
  return [inner = std::move(inner), faults, random = std::mt19937_64(faults.seed)](
             const confirm::Request& request) mutable -> Result<confirm::Reply> {
    const auto draw = [&](double probability) {
      return std::bernoulli_distribution(probability)(random);
    };
    if (draw(faults.lose_request)) return Error{Remedy::look, "fault: the request was lost", {}};
    auto reply = inner(request);
    if (draw(faults.lose_reply)) return Error{Remedy::look, "fault: the reply was lost", {}};
    return reply;
  };
}

}  // namespace waybill::testing
