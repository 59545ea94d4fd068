#include "check.hpp"
#include "emulator.hpp"

#include <iostream>

/// An argument runs only the tests whose name contains it.
int main(int argc, char** argv)
{
    try {
        emulator::start();
    } catch (const std::exception& e) {
        std::cout << "FAILED set-up: " << e.what() << "\n= 0 1\n";
        return 1;
    }
    const int code = check::run(argc > 1 ? argv[1] : "");
    emulator::stop();
    return code;
}
