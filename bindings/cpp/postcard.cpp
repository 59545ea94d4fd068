// The whole use of libcosslice from C++ on one card: push the bytes of a file to COS, piece by piece.
//
//     postcard FILE /path/in/bucket
//
// A program that makes its bytes itself does the same: say the size in `init`, `feed` pieces of any length, `finish`.

#include <cosslice.hpp>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

// The library reads no environment; a program may.
static cosslice::config from_environment()
{
    namespace opt = cosslice::opt;
    static constexpr std::pair<cosslice::option<std::string_view>, const char*> settings[] = {
        {opt::app_id, "COSSLICE_APP_ID"},       {opt::bucket, "COSSLICE_BUCKET"},
        {opt::region, "COSSLICE_REGION"},       {opt::endpoint, "COSSLICE_ENDPOINT"},
        {opt::secret_id, "COSSLICE_SECRET_ID"}, {opt::secret_key, "COSSLICE_SECRET_KEY"},
    };
    cosslice::config config;
    for (const auto& [option, variable] : settings)
        if (const char* value = std::getenv(variable))
            config.set(option, value);
    return config;
}

int main(int argc, char** argv)
{
    if (argc != 3) {
        std::cerr << "usage: postcard FILE /path/in/bucket\n";
        return 2;
    }
    try {
        std::ifstream in(argv[1], std::ios::binary);
        cosslice::upload upload(from_environment(), argv[2]);
        upload.init(std::filesystem::file_size(argv[1]));
        std::array<char, 65536> piece;
        while (in.read(piece.data(), piece.size()), in.gcount() > 0)
            upload.feed(piece.data(), static_cast<std::size_t>(in.gcount()));
        upload.finish(); // refuses if a read error cut the file short
        std::cout << upload.get(cosslice::info::access_url) << '\n';
    } catch (const std::exception& e) {
        std::cerr << "postcard: " << e.what() << '\n';
        return 1;
    }
}
