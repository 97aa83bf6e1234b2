"""Takes a C++ program out of README.md: extract.py README.md NAME OUTPUT, where <!-- program: NAME --> stands before its block."""
import re
import sys

readme, name, output = sys.argv[1:]
found = re.search(rf"<!-- program: {re.escape(name)} -->\n+```cpp\n(.*?)```", open(readme, encoding="utf-8").read(), re.S)
if not found:
    sys.exit(f"{readme} has no program '{name}'")
lines_max = {"rpc": 30, "messages": 20}[name]
if found[1].count("\n") > lines_max:
    sys.exit(f"the program '{name}' in {readme} is longer than {lines_max} lines")
with open(output, "w", encoding="utf-8") as file:
    file.write(found[1])
