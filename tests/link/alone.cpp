// Links and starts; the CMakeLists.txt beside it says with what.
int main() { return 0; }
