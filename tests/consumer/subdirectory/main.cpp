// The codec alone, inside somebody else's build.
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>

int main() {
    using namespace aprotic::codec;
    const MessageView view(encode(Message("hello")));
    return view.body<std::string_view>() == "hello" ? 0 : 1;
}
