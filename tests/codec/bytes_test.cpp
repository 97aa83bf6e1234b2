#include <aprotic/codec/bytes.hpp>

#include <catch2/catch.hpp>

#include <thread>

using namespace aprotic::codec;

TEST_CASE("bytes share their memory and keep it alive") {
    Bytes part;
    {
        const Bytes whole = Bytes::copy_of("hello world");
        part = whole.slice(6);
        CHECK(part.data() == whole.data() + 6);
        CHECK(whole.use_count() == 2);
    }
    CHECK(part.text() == "world");
    CHECK(part.use_count() == 1);
    CHECK(part.slice(2, 100).text() == "rld");
    CHECK(part.slice(5).empty());
    CHECK(part.slice(100, 1).empty());
}

TEST_CASE("a string's memory is taken over without a copy") {
    std::string text(1000, 'x');
    const void* memory = text.data();
    reset_copy_count();
    const Bytes bytes = Bytes::from_string(std::move(text));
    CHECK(static_cast<const void*>(bytes.data()) == memory);
    CHECK(copy_count().calls == 0);
    CHECK(Bytes::from_static("abc").use_count() == 0);
    CHECK(Bytes::from_string({}).empty());
    CHECK(Bytes::from_vector(std::vector<std::byte>(3)).size() == 3);
}

TEST_CASE("copies are counted") {
    reset_copy_count();
    const Bytes bytes = Bytes::copy_of("12345");
    CHECK(copy_count().calls == 1);
    CHECK(copy_count().bytes == 5);
}

TEST_CASE("a slab comes back to its pool when the last slice goes") {
    SlabPool pool(1024, 2);
    Slab slab = pool.acquire();
    CHECK(slab.capacity() == 1024);
    CHECK(slab.unique());
    std::byte* const memory = slab.data();
    Bytes slice = slab.slice(10, 20);
    CHECK_FALSE(slab.unique());
    slab.reset();
    CHECK(pool.in_use() == 1);
    slice = {};
    CHECK(pool.in_use() == 0);
    CHECK(pool.idle() == 1);
    CHECK(pool.acquire().data() == memory);
}

TEST_CASE("a pool keeps no more than its bound and no slab of another size") {
    SlabPool pool(1024, 2);
    {
        std::vector<Slab> slabs;
        for (int i = 0; i < 5; ++i) slabs.push_back(pool.acquire());
        slabs.push_back(pool.acquire(5000));
        CHECK(slabs.back().capacity() == 5000);
        CHECK(pool.in_use() == 6);
    }
    CHECK(pool.idle() == 2);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("slices may outlive the pool and be dropped on another thread") {
    Bytes slice;
    {
        SlabPool pool(64, 1);
        slice = pool.acquire().slice(0, 64);
    }
    std::thread([taken = std::move(slice)]() mutable { taken = {}; }).join();
    CHECK(slice.empty());
}

TEST_CASE("a chain reads as one sequence however it is split") {
    ByteChain chain;
    for (const char* part : {"ab", "", "cde", "f", "ghij"}) chain.append(Bytes::copy_of(part));
    CHECK(chain.size() == 10);
    CHECK(chain.segments().size() == 4);
    CHECK(chain.to_string() == "abcdefghij");
    CHECK(chain.contiguous().text() == "abcdefghij");
    for (std::size_t from = 0; from <= 10; ++from) {
        for (std::size_t length = 0; length <= 11; ++length) {
            CHECK(chain.slice(from, length).to_string() == std::string("abcdefghij").substr(from, length));
        }
    }
    CHECK(chain == ByteChain(Bytes::copy_of("abcdefghij")));
    CHECK_FALSE(chain == ByteChain(Bytes::copy_of("abcdefghiX")));
    ByteChain doubled = chain;
    doubled.append(doubled);
    CHECK(doubled.size() == 20);
    CHECK(doubled.slice(8, 4).to_string() == "ijab");
    doubled.clear();
    CHECK(doubled.empty());
}

TEST_CASE("a chain of one segment is contiguous without a copy") {
    const ByteChain chain(Bytes::copy_of("abc"));
    reset_copy_count();
    CHECK(chain.contiguous().data() == chain.segments()[0].data());
    CHECK(copy_count().calls == 0);
}
