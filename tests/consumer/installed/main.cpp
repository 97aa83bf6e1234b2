// What a program that uses the installed package can do: RPC and, beneath it, messages and the codec.
#include <aprotic/codec/message.hpp>
#include <aprotic/driver/rpc.hpp>
#include <aprotic/engine/container.hpp>

using namespace aprotic::driver;

int main() {
    Transport transport("embedded:");
    RpcServer server(transport, {.topic = "math", .server = "one"});
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
    server.start();

    const RpcClient client(transport, {.topic = "math"});
    const int sum = client.call<int>("add", {{"a", 2}, {"b", 3}}, 20s);
    return sum == 5 && !aprotic::codec::encode(aprotic::codec::Message("hello")).empty() ? 0 : 1;
}
