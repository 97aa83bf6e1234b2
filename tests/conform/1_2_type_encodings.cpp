#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases type_encodings() { return {}; }

}  // namespace aprotic::conform
